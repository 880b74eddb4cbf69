//! However a text is cut, what comes out is the same, and nothing that is guarded comes out.

use proptest::prelude::*;

use super::*;
use crate::redact::KINDS;

fn engine(mode: Mode) -> Arc<Engine> {
    Arc::new(Engine::new(Modes::all(mode)))
}

fn screened(engine: &Arc<Engine>, cut: Cut, pieces: &[&str]) -> (String, Vec<Kind>) {
    let mut screen = Screen::new(Arc::clone(engine), cut, None);
    let (mut out, mut kinds) = (String::new(), Vec::new());
    for piece in pieces {
        screen.push(piece, &mut out, &mut |kind, _| kinds.push(kind));
    }
    screen.finish(&mut out, &mut |kind, _| kinds.push(kind));
    (out, kinds)
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----";

#[test]
fn every_split_gives_the_same() {
    let engine = engine(Mode::Mask);
    let text = format!(
        "é to ann@example.com,\nher SSN is 536-22-8731 <EMAIL_kq7mzvt2ah>\n{KEY}\n4242 4242 4242 4242 b@c.org"
    );
    let (whole, kinds) = screened(&engine, Cut::Units, &[&text]);
    assert_eq!(
        whole,
        "é to <EMAIL>,\nher SSN is <SSN> <EMAIL_kq7mzvt2ah>\n<PRIVATE_KEY>\n<CREDIT_CARD> <EMAIL>"
    );
    assert_eq!(kinds.len(), 5);
    let cuts: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
    for (place, first) in cuts.iter().enumerate() {
        for second in cuts[place..].iter().step_by(7) {
            let pieces = [&text[..*first], &text[*first..*second], &text[*second..]];
            let (out, again) = screened(&engine, Cut::Units, &pieces);
            assert_eq!((&out, &again), (&whole, &kinds), "{first} {second}");
        }
    }
    let letters: Vec<_> = text.split("").collect();
    assert_eq!(screened(&engine, Cut::Units, &letters), (whole, kinds));
}

#[test]
fn a_line_is_out_as_soon_as_it_is_whole() {
    let engine = engine(Mode::Mask);
    let mut screen = Screen::new(engine, Cut::Units, None);
    let mut out = String::new();
    screen.push("one a@b.com\ntwo", &mut out, &mut |_, _| {});
    assert_eq!(out, "one <EMAIL>\n");
    assert_eq!(screen.held(), "two".len());
    screen.push(&" three".repeat(1_000), &mut out, &mut |_, _| {});
    assert!(screen.held() < 2_048);
    assert!(!format!("{screen:?}").contains("three"));
}

#[test]
fn a_value_at_the_cut_of_a_long_line_is_masked_whole() {
    let engine = engine(Mode::Mask);
    for value in [
        "4242 4242 4242 4242",
        "GB29 NWBK 6016 1331 9268 19",
        "+44 20 7946 0958",
        "ann@example.com",
    ] {
        for before in (1_600..2_100).step_by(3) {
            let text = format!("{}{value}{}", "word ".repeat(before / 5), " word".repeat(600));
            let (out, kinds) = screened(&engine, Cut::Units, &[&text]);
            assert_eq!(kinds.len(), 1, "{value} at {before}");
            assert!(out.contains("word <") && out.contains("> word"), "{value} at {before}");
            assert_eq!(screened(&engine, Cut::Units, &[&text[..before], &text[before..]]).0, out);
        }
    }
}

#[test]
fn words_before_a_line_explain_a_number_in_it() {
    let (out, _) = screened(
        &engine(Mode::Mask),
        Cut::Units,
        &["his social security number:\n", "536228731\n"],
    );
    assert!(out.ends_with("<SSN>\n"), "{out}");
}

#[test]
fn arguments_stay_json_and_are_read_behind_their_escapes() {
    let engine = engine(Mode::Mask);
    let text = r#"{"to":"ann\u0040example.com","note":"a\nb@c.org","n":1}"#;
    for cut in 0..=text.len() {
        let (out, kinds) = screened(&engine, Cut::Json, &[&text[..cut], &text[cut..]]);
        assert_eq!(out, r#"{"to":"<EMAIL>","note":"a\n<EMAIL>","n":1}"#);
        assert_eq!(kinds, [Kind::Email, Kind::Email]);
    }
    let (out, _) = screened(&engine, Cut::Json, &[r#"{"ssn":536228731}"#]);
    assert_eq!(out, r#"{"ssn":"<SSN>"}"#);
}

#[test]
fn what_is_only_detected_passes_and_what_is_off_is_not_looked_for() {
    let modes = Modes::all(Mode::Off).with(Kind::Email, Mode::Detect);
    assert!(looks(&modes, &KINDS) && !guards(&modes, &KINDS));
    assert!(guards(&modes.clone().with(Kind::Ip, Mode::Block), &KINDS));
    let text = "a@b.com 198.41.0.4\n";
    let found = screened(&Arc::new(Engine::new(modes)), Cut::Units, &[text]);
    assert_eq!(found, (text.to_owned(), vec![Kind::Email]));
}

#[test]
fn hostile_text_costs_no_more_than_its_length() {
    let engine = engine(Mode::Mask);
    for unit in
        ["\n", "a\n", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-", "a ", "9 ", "a@b.co "]
    {
        let text = unit.repeat(200_000 / unit.len());
        let (out, _) = screened(&engine, Cut::Units, &[&text]);
        assert!(unit.contains('@') || out == text, "{unit:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn chunks_do_not_matter_and_twice_is_once(
        pieces in prop::collection::vec(
            prop_oneof![
                "[a-z \n<>@.0-9é-]{0,40}",
                Just("word ".repeat(300)),
                Just("x".repeat(900)),
                Just(", 4242 4242 4242 4242, ".to_owned()),
                Just(" ann@example.com ".to_owned()),
                Just(KEY.to_owned()),
                Just(KEY[..60].to_owned()),
                Just("-----BEGIN RSA PRIVATE".to_owned()),
            ],
            0..12,
        ),
    ) {
        let engine = engine(Mode::Mask);
        let text = pieces.concat();
        let parts: Vec<_> = pieces.iter().map(String::as_str).collect();
        let cut = screened(&engine, Cut::Units, &parts);
        prop_assert_eq!(&cut, &screened(&engine, Cut::Units, &[&text]));
        prop_assert!(!cut.0.contains("4242 4242 4242 4242"));
        prop_assert_eq!(&screened(&engine, Cut::Units, &[&cut.0]).0, &cut.0);
    }
}
