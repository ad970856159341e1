// A provider that keeps its own books, in a process of its own: each answer uses some tokens, and it counts what it bills.
import http from "node:http";

/** Nano-USD a token of gpt-4o-mini: $0.15 and $0.60 per million. */
const INPUT_NANO_USD = 150;
const OUTPUT_NANO_USD = 600;
/** Longest time that it takes to answer, milliseconds. */
const SLOWEST_MS = 20;

const billed = { requests: 0, tokens: 0, nanoUsd: 0, inFlight: 0, inFlightMost: 0 };

const server = http.createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const body = Buffer.concat(chunks);
    const { max_tokens: most, stream = false } = JSON.parse(body.toString());
    billed.inFlight += 1;
    billed.inFlightMost = Math.max(billed.inFlightMost, billed.inFlight);
    setTimeout(() => {
      const usage = bill(1 + Math.floor(Math.random() * (body.length - 1)), 1 + Math.floor(Math.random() * most));
      billed.inFlight -= 1;
      if (stream) sendStream(res, usage);
      else send(res, usage);
    }, Math.random() * SLOWEST_MS);
  });
});

function bill(prompt: number, completion: number): object {
  billed.requests += 1;
  billed.tokens += prompt + completion;
  billed.nanoUsd += prompt * INPUT_NANO_USD + completion * OUTPUT_NANO_USD;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function send(res: http.ServerResponse, usage: object): void {
  const choices = [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }];
  res.writeHead(200, { "content-type": "application/json" });
  res.end(JSON.stringify({ id: "x", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices, usage }));
}

function sendStream(res: http.ServerResponse, usage: object): void {
  const chunk = (more: object): string => {
    const head = { id: "x", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini" };
    return `data: ${JSON.stringify({ ...head, ...more })}\n\n`;
  };
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(chunk({ choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: null }] }));
  res.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
  res.end(`${chunk({ choices: [], usage })}data: [DONE]\n\n`);
}

server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", 4_096, () => {
  const address = server.address();
  process.send?.({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}` });
});
process.on("message", () => process.send?.(billed));
process.on("disconnect", () => process.exit(0));
