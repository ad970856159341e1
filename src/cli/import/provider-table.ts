// The providers that LiteLLM names by a prefix (`groq/llama-3.1-8b-instant`) and that can be reached from here.
import type { Wire } from "../../types.ts";

/** How a LiteLLM provider is reached. */
export interface ProviderKind {
  /** Its name in the new config. */
  readonly name: string;
  readonly wires: readonly Wire[];
  /** As an SDK's base URL; null: `api_base` has to say it. */
  readonly baseUrl: string | null;
  /** Added to an `api_base` that does not end in it. */
  readonly basePath: string;
  /** The variable in which LiteLLM looks for the key; null: it sends none. */
  readonly keyVariable: string | null;
  /** One's own machines: LiteLLM counts what has no price as free. */
  readonly own: boolean;
}

function kind(name: string, baseUrl: string | null, keyVariable: string | null, more: Partial<ProviderKind> = {}) {
  return Object.freeze({ name, baseUrl, keyVariable, wires: ["openai"] as const, basePath: "", own: false, ...more });
}

const own = (name: string, baseUrl: string | null = null, basePath = ""): ProviderKind =>
  kind(name, baseUrl, null, { own: true, basePath });

/**
 * By LiteLLM's prefix. Base URLs are those of the providers' own pages on using the OpenAI SDK with them; Anthropic's
 * is https://docs.anthropic.com/en/api/openai-sdk, Gemini's https://ai.google.dev/gemini-api/docs/openai, Azure's
 * https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (v1, which takes no `api-version`).
 */
const KINDS: Readonly<Record<string, ProviderKind>> = {
  openai: kind("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
  anthropic: kind("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", { wires: ["anthropic", "openai"] }),
  azure: kind("azure", null, "AZURE_API_KEY", { basePath: "/openai/v1" }),
  gemini: kind("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
  cerebras: kind("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
  deepinfra: kind("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
  deepseek: kind("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
  fireworks_ai: kind("fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
  groq: kind("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
  mistral: kind("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
  moonshot: kind("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
  nvidia_nim: kind("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
  openrouter: kind("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
  perplexity: kind("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
  sambanova: kind("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
  together_ai: kind("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
  xai: kind("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
  custom_openai: kind("custom_openai", null, null),
  litellm_proxy: kind("litellm_proxy", null, "LITELLM_PROXY_API_KEY"),
  openai_like: kind("openai_like", null, null),
  hosted_vllm: own("vllm"),
  llamafile: own("llamafile", "http://127.0.0.1:8080/v1"),
  lm_studio: own("lm_studio"),
  ollama: own("ollama", "http://localhost:11434/v1", "/v1"),
  ollama_chat: own("ollama", "http://localhost:11434/v1", "/v1"),
};

/** What LiteLLM knows and this version cannot reach, and why. */
const OTHERS: Readonly<Record<string, string>> = {
  bedrock: "Amazon Bedrock's requests are signed and in formats of its own",
  sagemaker: "Amazon SageMaker's requests are signed and in formats of its own",
  vertex_ai: "Vertex AI takes short-lived Google credentials instead of a key",
  vertex_ai_beta: "Vertex AI takes short-lived Google credentials instead of a key",
};

/** Names without a prefix that LiteLLM gives to a provider. */
const BARE: readonly (readonly [RegExp, string])[] = [
  [/^(?:ft:)?(?:gpt-|chatgpt-|o\d(?:-|$)|text-embedding-|whisper-|tts-|dall-e-|davinci|babbage|omni-)/, "openai"],
  [/^claude-/, "anthropic"],
  [/^gemini-/, "vertex_ai"],
];

/** A model's provider and its name there, or why there is none. */
export type Reached =
  | { readonly kind: ProviderKind; readonly model: string }
  | { readonly why: string; readonly help: string };

/**
 * Takes LiteLLM's `model` apart as LiteLLM does.
 * @param told `custom_llm_provider`, which goes before a prefix
 */
export function reach(model: string, told: string | null): Reached {
  const slash = model.indexOf("/");
  const prefix = slash < 0 ? null : model.slice(0, slash);
  const name = told ?? (prefix !== null && isKnown(prefix) ? prefix : bareProvider(model)) ?? prefix;
  if (name === null) {
    const help = "write its provider before it, such as openai/… with api_base for an OpenAI-compatible server";
    return { why: "its provider cannot be told from its name", help };
  }
  const found = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (found !== undefined) return { kind: found, model: prefix === name ? model.slice(slash + 1) : model };
  const why = Object.hasOwn(OTHERS, name) ? OTHERS[name] : `no OpenAI or Anthropic format is known of \`${name}\``;
  const help = "reach it through a server that speaks the OpenAI format, as openai/… with api_base";
  return { why: `${why}: this version cannot reach it`, help };
}

const isKnown = (prefix: string): boolean => Object.hasOwn(KINDS, prefix) || Object.hasOwn(OTHERS, prefix);

function bareProvider(model: string): string | null {
  return BARE.find(([pattern]) => pattern.test(model))?.[1] ?? null;
}
