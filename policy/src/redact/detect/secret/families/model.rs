//! Keys of model providers and of what agents use besides: search, memory, tracing, vectors.

use super::Alphabet::{Alnum, Base64, Digit, Hex, Word};
use super::Part::{Run, Text};
use super::{Family, family};

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    // Models
    family("sk-ant-", "anthropic-key", Word, (24, 200)),
    family("sk-or-v1-", "openrouter-key", Hex, (64, 64)),
    family("sk-proj-", "openai-key", Word, (20, 300)),
    family("sk-svcacct-", "openai-key", Word, (20, 300)),
    family("sk-service-", "openai-key", Word, (20, 300)),
    family("sk-admin-", "openai-key", Word, (20, 300)),
    family("sk-None-", "openai-key", Word, (20, 300)),
    family("sk-lf-", "langfuse-key", Word, (36, 36)),
    family("sk-kimi-", "moonshot-key", Alnum, (32, 80)),
    family("sk-helicone-", "helicone-key", Word, (24, 80)),
    family("sk-", "sk-key", Alnum, (20, 128)),
    // LiteLLM's virtual keys and those of other gateways: base64url.
    family("sk-", "sk-key", Word, (20, 128)).mixed(),
    family("sess-", "openai-key", Alnum, (40, 64)),
    family("gsk_", "groq-key", Alnum, (48, 64)),
    family("xai-", "xai-key", Alnum, (70, 100)),
    family("pplx-", "perplexity-key", Alnum, (40, 64)),
    family("r8_", "replicate-key", Alnum, (37, 40)),
    family("hf_", "huggingface-key", Alnum, (34, 40)).without_digits(),
    family("api_org_", "huggingface-key", Alnum, (34, 40)).without_digits(),
    family("csk-", "cerebras-key", Alnum, (40, 64)),
    family("nvapi-", "nvidia-key", Word, (60, 80)),
    family("tgp_v1_", "together-key", Word, (40, 60)),
    family("fw_", "fireworks-key", Alnum, (20, 40)),
    family("AQ.Ab8", "google-key", Word, (40, 80)),
    family("esecret_", "anyscale-key", Alnum, (20, 40)),
    family("rpa_", "runpod-key", Alnum, (38, 60)),
    family("ak-", "modal-key", Alnum, (22, 22)).mixed(),
    family("flp_", "friendli-key", Alnum, (40, 60)),
    family("bce-v3/ALTAK-", "baidu-key", Alnum, (16, 24)).then(&[Text("/"), Run(Hex, 40, 40)]),
    family("sk_car_", "cartesia-key", Alnum, (20, 40)),
    // Search, pages and tools
    family("tvly-", "tavily-key", Word, (24, 64)),
    family("fc-", "firecrawl-key", Hex, (32, 32)),
    family("jina_", "jina-key", Word, (40, 80)),
    family("BSA", "brave-key", Word, (24, 30)).mixed(),
    family("apify_api_", "apify-key", Alnum, (36, 40)),
    family("scp-live-", "scrapfly-key", Hex, (32, 32)),
    family("e2b_", "e2b-key", Hex, (40, 40)),
    family("bb_live_", "browserbase-key", Word, (20, 40)),
    // Vectors and memory
    family("pcsk_", "pinecone-key", Word, (40, 100)),
    family("pa-", "voyage-key", Word, (43, 43)).mixed(),
    family("llx-", "llamacloud-key", Alnum, (40, 64)),
    family("m0-", "mem0-key", Alnum, (36, 44)),
    // Tracing and experiments
    family("lsv2_pt_", "langsmith-key", Word, (32, 60)),
    family("lsv2_sk_", "langsmith-key", Word, (32, 60)),
    family("lsv2_", "langsmith-key", Word, (40, 60)),
    family("ls__", "langsmith-key", Hex, (32, 32)),
    family("wandb_v1_", "wandb-key", Word, (60, 90)),
    family("pylf_v", "logfire-key", Digit, (1, 1)).then(&[Text("_"), Run(Word, 40, 60)]),
    // Bedrock's own keys: the long ones, and the short ones that wrap a signed URL.
    family("ABSK", "bedrock-key", Base64, (109, 269)),
    family("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", "bedrock-key", Base64, (60, 4096)),
];
