//! URLs that let whoever knows them post messages.
//!
//! The host and the path of a service that is known for them, and a part that was drawn at random.
//! Paths after the services' documentation: Slack's, Discord's, Microsoft's, Google Chat's,
//! Zapier's, IFTTT's, Make's, Lark's, DingTalk's, WeCom's, Mattermost's and Rocket.Chat's. A URL of
//! Telegram's holds its bot's key, which is found by itself.

use super::value::{is_placeholder, is_random};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::WebhookUrl,
    start: Start::Literals(&[
        "hooks.slack.com/",
        "discord.com/api/",
        "discordapp.com/api/",
        "webhook.office.com/webhookb2/",
        "outlook.office.com/webhook/",
        ".logic.azure.com",
        "chat.googleapis.com/v1/spaces/",
        "hooks.zapier.com/hooks/",
        "maker.ifttt.com/",
        ".make.com/",
        "open.feishu.cn/open-apis/bot/",
        "open.larksuite.com/open-apis/bot/",
        "oapi.dingtalk.com/robot/",
        "qyapi.weixin.qq.com/cgi-bin/webhook/",
        "/hooks/",
    ]),
    check,
    // After Slack's and Discord's documentation, with parts of their lengths.
    valid: [
        concat!(
            "https://hooks.",
            "slack.com/services/T0FAKE0AB/B0FAKE1CD/q7W3e9R5t1Y8u2I4o6P0a3S5"
        ),
        concat!(
            "https://discord.com/api/",
            "webhooks/223704706495545344/",
            "3d89bb7572e0fb30d8128367b3b1b44fecd1726de135cbe28a41f8b2f777c372ba2939e72279b94526ff"
        ),
    ],
    invalid: [
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://discord.com/api/webhooks/{webhook.id}/{webhook.token}",
    ],
    about: "services' hosts and paths with a random part",
    ..BASE
};

const LONGEST: usize = 1024;
const HOST: usize = 80;

fn check(site: &Site<'_>) -> Option<Hit> {
    let is_url = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\{}|^()[],;".contains(&byte);
    let mut end = site.run(site.trigger.end, LONGEST, is_url);
    let path = &site.text[site.trigger.end..end];
    end -= path.iter().rev().take_while(|byte| b".:!?*".contains(byte)).count();
    let path = &site.text[site.trigger.end..end];
    let trigger = &site.text[site.trigger.clone()];
    let holds = |part: &[u8]| memchr::memmem::find(path, part).is_some();
    let fits = match trigger {
        b"discord.com/api/" | b"discordapp.com/api/" => holds(b"webhooks/"),
        b".logic.azure.com" => holds(b"sig="),
        b"maker.ifttt.com/" => holds(b"/key/"),
        b"/hooks/" => is_self_hosted(path),
        _ => true,
    };
    let is_part = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"_-%".contains(byte);
    let secret = |part: &[u8]| part.len() >= 16 && is_random(part) && !is_placeholder(part);
    // Zapier's parts are short numbers and a short word; Make's are drawn of few characters.
    let is_zapier = trigger == b"hooks.zapier.com/hooks/" && path.len() > 20;
    if !fits || !(is_zapier || path.split(is_part).any(secret)) {
        return None;
    }
    let before = &site.text[site.trigger.start.saturating_sub(HOST)..site.trigger.start];
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-:".contains(byte);
    let mut start = site.trigger.start - before.iter().rev().take_while(is_host).count();
    if let Some(scheme) = site.text[..start].strip_suffix(b"//") {
        // Without a scheme the URL begins at its slashes.
        start = scheme.len();
        if let Some(scheme) = scheme.strip_suffix(b":") {
            let letters = scheme.iter().rev().take(5);
            start -= 1 + letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
        }
    } else if trigger == b"/hooks/" {
        return None;
    }
    // `https:` was taken for a part of the host.
    (start < site.trigger.start || trigger[0] != b'.').then_some(Hit::sure(
        start..end,
        "webhook-url",
        Confidence::Prefix,
    ))
}

/// Mattermost's 26 characters, or Rocket.Chat's two parts.
fn is_self_hosted(path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'/');
    let first = parts.next().unwrap_or_default();
    let is_lower =
        |part: &[u8]| part.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match parts.next() {
        None => first.len() == 26 && is_lower(first),
        Some(second) => {
            parts.next().is_none()
                && (17..=24).contains(&first.len())
                && (40..=64).contains(&second.len())
                && first.iter().chain(second).all(u8::is_ascii_alphanumeric)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    const PART: &str = "q7w3e9r5t1y8u2i4o6p0a3s5d1";

    #[test]
    fn every_service_is_known() {
        for url in [
            format!("https://hooks.slack.com/workflows/T0AB/A0CD/4711/{PART}"),
            format!("https://canary.discord.com/api/v10/webhooks/223704706495545344/{PART}{PART}"),
            "https://contoso.webhook.office.com/webhookb2/550e8400-e29b-41d4-a716-446655440000@\
             550e8400-e29b-41d4-a716-446655440000/IncomingWebhook/83a6f36bb3457dfdc4e4bb3aa1c7e4eb/\
             550e8400-e29b-41d4-a716-446655440000"
                .to_owned(),
            format!("https://prod-12.westus.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sp=%2F&sv=1.0&sig={PART}"),
            format!("https://chat.googleapis.com/v1/spaces/AAAAB3/messages?key={PART}&token={PART}"),
            "https://hooks.zapier.com/hooks/catch/1234567/bu2k9xj/".to_owned(),
            format!("https://maker.ifttt.com/trigger/door/with/key/{PART}"),
            format!("https://open.feishu.cn/open-apis/bot/v2/hook/{PART}"),
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7b4c-4bc4-97a0-0ec2sifa5aaa"
                .to_owned(),
            format!("https://chat.example.com/hooks/{PART}"),
            format!("http://rocket.example.com:3000/hooks/q7w3e9r5t1y8u2i4o/{PART}{PART}"),
            format!("hooks.slack.com/services/T0AB/B0CD/{PART}"),
        ] {
            for text in [format!("URL={url}"), format!("post to \"{url}\""), format!("({url}).")] {
                assert_eq!(found(&text), [(Kind::WebhookUrl, url.as_str())], "{text}");
            }
        }
    }

    #[test]
    fn a_url_may_have_no_scheme() {
        let url = format!("//hooks.slack.com/services/T0AB/B0CD/{PART}");
        for text in [url.clone(), format!("é{url}"), format!("https:。{url}")] {
            assert_eq!(found(&text), [(Kind::WebhookUrl, url.as_str())], "{text}");
        }
        let text = format!("::{url}");
        assert_eq!(found(&text), [(Kind::WebhookUrl, &text[1..])]);
    }

    #[test]
    fn other_urls_are_left_alone() {
        for text in [
            "https://hooks.slack.com/services/YOUR/WEBHOOK/URL",
            "https://hooks.slack.com/services/<WEBHOOK_URL_kq7mzvt2ah>",
            "https://discord.com/api/v10/users/223704706495545344",
            "https://api.github.com/repos/a/b/hooks/12345678",
            "https://react.dev/reference/react/hooks/use-some-very-long-name-1",
            "src/hooks/useAuthenticationTokenProvider2.ts",
            "/hooks/q7w3e9r5t1y8u2i4o6p0a3s5d1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
