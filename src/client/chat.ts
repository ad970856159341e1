// Shapes of OpenAI's chat completions, as far as the client names them.

/** A request for a chat completion. Its other members are the provider's. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly object[];
  readonly [member: string]: unknown;
}

/** The answer. */
export interface ChatAnswer {
  readonly id: string;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: { readonly role: string; readonly content: string | null };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly [member: string]: unknown;
}

/** One event of a streamed answer. */
export interface ChatChunk {
  readonly id: string;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: { readonly role?: string; readonly content?: string | null };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly [member: string]: unknown;
}
