// What the price list does not say of a model: its family, and the most output tokens it will write.

/**
 * Output limits by the beginning of a model id, in tokens. From "Max output tokens" on the models' pages:
 * https://platform.openai.com/docs/models and https://docs.anthropic.com/en/docs/about-claude/models/overview.
 * An id of several models (gpt-5 and gpt-5-chat) has the largest of their limits.
 */
const OUTPUT_TOKENS_MAX: Readonly<Record<string, number>> = {
  "chatgpt-4o-latest": 16_384,
  "claude-2": 4_096,
  "claude-3-5-haiku": 8_192,
  "claude-3-5-sonnet": 8_192,
  "claude-3-7-sonnet": 128_000, // with the beta header output-128k-2025-02-19; 64,000 without
  "claude-3-haiku": 4_096,
  "claude-3-opus": 4_096,
  "claude-3-sonnet": 4_096,
  "claude-haiku-4-5": 64_000,
  "claude-opus-4-0": 32_000,
  "claude-opus-4-1": 32_000,
  "claude-opus-4-5": 64_000,
  "claude-opus-4-6": 128_000,
  "claude-sonnet-4-0": 64_000,
  "claude-sonnet-4-5": 64_000,
  "claude-sonnet-4-6": 128_000,
  "codex-mini": 100_000,
  "gpt-3.5-turbo": 4_096,
  "gpt-4": 8_192,
  "gpt-4-32k": 32_768,
  "gpt-4-turbo": 4_096,
  "gpt-4-vision": 4_096,
  "gpt-4.1": 32_768,
  "gpt-4.5": 16_384,
  "gpt-4o": 16_384,
  "gpt-5": 128_000,
  "gpt-5-pro": 272_000,
  "gpt-audio": 16_384,
  o1: 100_000,
  "o1-mini": 65_536,
  "o1-preview": 32_768,
  o3: 100_000,
  "o4-mini": 100_000,
};

/** A prefix counts only where the model's name goes on with another part: `gpt-5` is not the limit of `gpt-5.4`. */
const LONGEST_FIRST = Object.entries(OUTPUT_TOKENS_MAX).sort(([a], [b]) => b.length - a.length);

/** The most output tokens a model will write; the context window where no limit is known, null where neither is. */
export function outputTokensMaxOf(model: string, contextTokens: number | null): number | null {
  const name = bareName(model);
  const found = LONGEST_FIRST.find(([prefix]) => name === prefix || name.startsWith(`${prefix}-`));
  return found?.[1] ?? contextTokens;
}

const FAMILIES: readonly RegExp[] = [
  /^claude-(?:[\d.-]+-)?(opus|sonnet|haiku)/,
  /^(?:ft:)?((?:chat)?gpt-\d+(?:\.\d+)?o?)/,
  /^(o\d)(?:-|$)/,
  /^(gemini|gemma|llama|mistral|mixtral|deepseek|qwen|grok|command|nova|phi|kimi|glm|claude|gpt)/,
];

/**
 * The line a model belongs to, whatever its size, date or provider: `gpt-4o` of `gpt-4o-mini`, `claude-sonnet` of
 * `anthropic/claude-3-5-sonnet-20241022`, `o3` of `o3-mini`, `llama` of `meta-llama/llama-3.1-8b`; null when it is of none.
 */
export function familyOf(model: string): string | null {
  const name = bareName(model);
  for (const [index, pattern] of FAMILIES.entries()) {
    const line = pattern.exec(name)?.[1];
    if (line !== undefined) return index === 0 ? `claude-${line}` : line;
  }
  return null;
}

/** The name without the maker's: after the last slash, in lower case. */
const bareName = (model: string): string => model.slice(model.lastIndexOf("/") + 1).toLowerCase();
