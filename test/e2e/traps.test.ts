// The traps of http-proxy-3 and node:http that a gateway falls into: each of these fails without its remedy.
import { connect, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { rawRequest, sendRaw } from "../support/raw.ts";
import {
  CHAT_ANSWER,
  chatEvents,
  event,
  json,
  type ScriptedUpstream,
  startUpstream,
  stream,
} from "../support/upstream.ts";

const PROVIDER_KEY = "sk-provider-secret";
const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
const PATH = "/v1/chat/completions";

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  /** A raw POST of HELLO with more header lines. */
  post(...lines: string[]): string;
}

async function setUp(t: Test, config: object = {}): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai", api_key: PROVIDER_KEY }],
    config,
  });
  const post = (...lines: string[]): string =>
    rawRequest([`POST ${PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`, ...lines], JSON.stringify(HELLO));
  return { gateway, upstream, post };
}

const statusOf = (answer: string): number => Number(answer.slice(9, 12));

t.test("1: a chunked DELETE or OPTIONS smuggles nothing", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const smuggled = `GET /admin HTTP/1.1\r\nhost: x\r\n\r\n`;
  const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
  for (const method of ["DELETE", "OPTIONS", "GET", "PUT"]) {
    const lines = [`${method} ${PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`, "transfer-encoding: chunked"];
    t.equal(statusOf(await sendRaw(gateway.url, rawRequest(lines, chunk))), 405, method);
  }
  const models = ["GET /v1/models HTTP/1.1", `authorization: Bearer ${gateway.key}`, "transfer-encoding: chunked"];
  t.equal(statusOf(await sendRaw(gateway.url, rawRequest(models, chunk))), 400, "a GET must not have a body");
  t.same(upstream.seen, [], "nothing reached the provider");
});

t.test("1: a chunked body goes upstream whole, with an exact length", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const body = JSON.stringify(HELLO);
  const half = body.slice(0, 10);
  const rest = body.slice(10);
  const chunks = `${half.length.toString(16)}\r\n${half}\r\n${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`;
  const lines = [`POST ${PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`, "transfer-encoding: chunked"];
  t.equal(statusOf(await sendRaw(gateway.url, rawRequest(lines, chunks))), 200);
  const [seen] = upstream.seen;
  t.equal(seen?.body, body);
  t.equal(seen?.headers["content-length"], String(body.length));
  t.equal(seen?.headers["transfer-encoding"], undefined);
});

t.test("2: fields above the limit are counted, not dropped", async (t) => {
  const { gateway, upstream, post } = await setUp(t);
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `x-${i}: 1`);
  t.equal(statusOf(await sendRaw(gateway.url, post(...many(190)))), 200);
  t.equal(statusOf(await sendRaw(gateway.url, post(...many(250)))), 431);
  // The 1,200th field frames the body: a server that drops it reads the body as the next request.
  t.equal(statusOf(await sendRaw(gateway.url, post(...many(1_200), "transfer-encoding: chunked"))), 400);
  t.equal(upstream.seen.length, 1);
});

t.test("3: Expect: 100-continue changes no header that goes upstream", async (t) => {
  const { gateway, upstream, post } = await setUp(t);
  const answer = await sendRaw(gateway.url, post("expect: 100-continue"));
  t.match(answer, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  t.equal(upstream.seen[0]?.headers.authorization, `Bearer ${PROVIDER_KEY}`);
  t.equal(upstream.seen[0]?.headers.expect, undefined);
  t.notMatch(JSON.stringify(upstream.seen), gateway.key);
});

t.test("4: many requests at once each carry the provider's key", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const answers = await Promise.all(Array.from({ length: 200 }, () => gateway.chat(HELLO)));
  t.ok(answers.every(({ status }) => status === 200));
  t.ok(upstream.seen.every(({ headers }) => headers.authorization === `Bearer ${PROVIDER_KEY}`));
});

t.test("5: an upstream that dies ends the caller's answer", async (t) => {
  const { gateway, upstream } = await setUp(t);
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    res.write('{"id":', () => res.destroy());
  };
  const whole = await gateway.chat(HELLO);
  t.equal(whole.status, 502);
  t.match(await whole.json(), { error: { code: "upstream_broken" } });

  const [first = "", second = ""] = chatEvents(["one", "two"]);
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(first + second.slice(0, 20), () => setTimeout(() => res.destroy(), 20));
  };
  const broken = await gateway.chat({ ...HELLO, stream: true });
  t.equal(broken.status, 200);
  let text = "";
  await t.rejects(async () => {
    for await (const chunk of broken.body ?? []) text += Buffer.from(chunk).toString();
  }, "the body does not end as if it were whole");
  t.ok(text.startsWith(first), "what came passed");
  t.match(text, /data: \{"error":\{"message":".*broke off/, "and the break is told");
});

t.test("5: an upstream that switches protocols unasked is an error, not a hang", async (t) => {
  const upgrade = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    );
  });
  await new Promise<void>((resolve) => upgrade.listen(0, "127.0.0.1", resolve));
  t.teardown(() => upgrade.close());
  const { port } = upgrade.address() as { port: number };
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `http://127.0.0.1:${port}/v1`, wire: "openai" }],
  });
  const answer = await gateway.chat(HELLO);
  t.equal(answer.status, 502);
  t.match(await answer.json(), { error: { code: "upstream_unreachable" } });
});

t.test("6: only paths in their normal form are served", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const targets = [
    "/v1/../admin",
    "/v1/%2e%2e/admin",
    "/v1\\..\\admin",
    "/v1/./chat/completions",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions/",
    "/v1/chat/completions%20",
    "/v1/chat%2fcompletions",
    "/V1/chat/completions",
    `http://upstream.example${PATH}`,
    "*",
    "/v1/files",
    "/",
  ];
  for (const target of targets) {
    const lines = [`POST ${target} HTTP/1.1`, `authorization: Bearer ${gateway.key}`, "content-type: application/json"];
    t.equal(statusOf(await sendRaw(gateway.url, rawRequest(lines, JSON.stringify(HELLO)), 100)), 404, target);
  }
  t.same(upstream.seen, []);
  t.equal((await fetch(`${gateway.url}${PATH}?beta=true`, { method: "POST" })).status, 401, "a query is not a path");
});

t.test("6: a model's id may have its slashes escaped, and nothing else", async (t) => {
  const model = { provider: "openai", model: "meta-llama/Llama-3", price: { input: "$1/M", output: "$1/M" } };
  const { gateway, upstream } = await setUp(t, { models: { "meta-llama/Llama-3:free": model } });
  const ask = (target: string): Promise<string> =>
    sendRaw(gateway.url, rawRequest([`GET ${target} HTTP/1.1`, `authorization: Bearer ${gateway.key}`]), 100);
  for (const spelling of [
    "meta-llama/Llama-3:free",
    "meta-llama%2FLlama-3%3Afree",
    "meta-llama%2fLlama-3%3afree?x=%2e",
  ]) {
    const answer = await ask(`/v1/models/${spelling}`);
    t.equal(statusOf(answer), 200, spelling);
    t.match(answer, /"id":"meta-llama\/Llama-3:free"/, spelling);
  }
  t.match(await ask("/v1/models/meta-llama%2FLlama-4"), /"message":"There is no model `meta-llama\/Llama-4`/);
  const traps = [
    ...[
      "%2e%2e%2fadmin",
      "..%2fadmin",
      "..%2F..%2Fadmin",
      "a%2F..%2F..%2Fadmin",
      "a%2F.%2Fb",
      "%2F",
      "a%2F",
      "%2Fa",
      "a%2F%2Fb",
    ],
    ...["a%252Fb", "a%5C..%5Cb", "a%00", "a%20b", "a%2", "a%", "%C0%AF", "a%23b", "a%3Fb"],
  ];
  for (const trap of traps) {
    const answer = await ask(`/v1/models/${trap}`);
    t.equal(statusOf(answer), 404, trap);
    t.match(answer, /"code":"not_found"/, `${trap}: no such path, not no such model`);
  }
  for (const path of ["/v1%2Fmodels/x", "/v1/models%2Fx"]) t.equal(statusOf(await ask(path)), 404, path);
  const post = [`POST /v1/models/..%2Fchat%2Fcompletions HTTP/1.1`, `authorization: Bearer ${gateway.key}`];
  t.equal(statusOf(await sendRaw(gateway.url, rawRequest(post, JSON.stringify(HELLO)), 100)), 404);
  t.same(upstream.seen, []);
});

t.test("7: hop-by-hop fields, cookies and credentials cross neither way", async (t) => {
  const { gateway, upstream, post } = await setUp(t);
  upstream.answer = json(CHAT_ANSWER, 200, {
    connection: "x-secret",
    "x-secret": "1",
    "keep-alive": "timeout=9",
    "set-cookie": "a=b",
    "proxy-authenticate": "Basic",
    trailer: "x",
    "openai-organization": "org-1",
    "x-ratelimit-remaining-requests": "7",
    "openai-processing-ms": "12",
    "x-request-id": "req_upstream",
  });
  const answer = await sendRaw(
    gateway.url,
    post(
      "connection: close, x-hop",
      "x-hop: 1",
      "proxy-authorization: Basic eA==",
      "te: trailers",
      "keep-alive: 5",
      "upgrade: websocket",
      "cookie: session=1",
      "x-forwarded-for: 1.2.3.4",
      "openai-organization: org-other",
    ),
  );
  t.equal(statusOf(answer), 200);
  const names = Object.keys(upstream.seen[0]?.headers ?? {}).sort();
  const expected = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
  ];
  t.same(names, expected);
  t.equal(upstream.seen[0]?.headers.connection, "keep-alive");
  const head = answer.slice(0, answer.indexOf("\r\n\r\n")).toLowerCase();
  t.match(head, /openai-processing-ms: 12/);
  t.match(head, /x-upstream-request-id: req_upstream/);
  t.match(head, /x-request-id: req_[0-9a-z_]+\r/);
  t.notMatch(head, /x-secret|set-cookie|proxy-authenticate|timeout=9|trailer|org-1|x-ratelimit/);
});

t.test("8: a coded answer passes untouched, with its own length", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const coded = gzipSync(JSON.stringify(CHAT_ANSWER));
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
    res.end(coded);
  };
  const answer = await gateway.chat(HELLO);
  t.equal(answer.headers.get("content-length"), String(coded.length));
  t.same(await answer.json(), CHAT_ANSWER);
  t.equal(upstream.seen[0]?.headers["accept-encoding"], "identity", "and none was asked for");
});

t.test("8: a caller that leaves aborts the upstream", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const closed = new Promise<void>((resolve) => {
    upstream.answer = (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(chatEvents(["one"])[0]);
      res.on("close", resolve);
    };
  });
  const caller = new AbortController();
  const answer = await fetch(`${gateway.url}${PATH}`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}` },
    body: JSON.stringify({ ...HELLO, stream: true }),
    signal: caller.signal,
  });
  await answer.body?.getReader().read();
  caller.abort();
  await closed;
  t.pass("the provider's connection was closed");
});

t.test("9: upstream connections are kept, whatever the caller does with its own", async (t) => {
  const { gateway, upstream, post } = await setUp(t);
  for (let i = 0; i < 5; i += 1) t.equal(statusOf(await sendRaw(gateway.url, post("connection: close"))), 200);
  t.equal(upstream.connections, 1);
  const { headers } = await gateway.chat(HELLO);
  t.equal(headers.get("connection"), "keep-alive", "the upstream's `close` is not the caller's");
});

t.test("9: a pooled connection that the upstream had just closed is tried once more", async (t) => {
  let requests = 0;
  const flaky = createServer((socket) => {
    let onThisSocket = 0;
    socket.on("error", () => undefined);
    socket.on("data", () => {
      requests += 1;
      onThisSocket += 1;
      const body = JSON.stringify(CHAT_ANSWER);
      if (onThisSocket > 1) socket.resetAndDestroy();
      else
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
    });
  });
  await new Promise<void>((resolve) => flaky.listen(0, "127.0.0.1", resolve));
  t.teardown(() => flaky.close());
  const { port } = flaky.address() as { port: number };
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `http://127.0.0.1:${port}/v1`, wire: "openai" }],
  });
  t.equal((await gateway.chat(HELLO)).status, 200);
  t.equal((await gateway.chat(HELLO)).status, 200, "the second request met a closed connection");
  t.equal(requests, 3, "and was sent again, once");
});

t.test("10: a caller that never reads does not fill the memory", async (t) => {
  const { gateway, upstream, post } = await setUp(t);
  const big = event({ choices: [{ index: 0, delta: { content: "x".repeat(64 * 1024) } }] });
  let written = 0;
  let stalled: () => void;
  const stall = new Promise<void>((resolve) => (stalled = resolve));
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const more = (): void => {
      while (res.write(big)) written += big.length;
      written += big.length;
      const timer = setTimeout(() => stalled(), 500);
      res.once("drain", () => {
        clearTimeout(timer);
        if (written < 400 * 1024 * 1024) more();
        else stalled();
      });
    };
    more();
  };
  const { hostname, port } = new URL(gateway.url);
  const body = JSON.stringify({ ...HELLO, stream: true });
  const request = post()
    .replace(/content-length: \d+/, `content-length: ${body.length}`)
    .replace(/\{.*$/s, body);
  const socket = connect(Number(port), hostname, () => socket.write(request));
  socket.pause();
  await stall;
  t.ok(written < 40 * 1024 * 1024, `the upstream was held after ${Math.round(written / 1024 / 1024)} MiB`);
  socket.destroy();
});

t.test("streams pass chunk for chunk, and the end waits for nothing but the settlement", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const events = chatEvents(["Hel", "lo ", "wörld"]);
  upstream.answer = stream(events);
  const answer = await gateway.chat({ ...HELLO, stream: true, stream_options: { include_usage: true } });
  t.equal(await answer.text(), events.join(""));
  const hidden = await gateway.chat({ ...HELLO, stream: true });
  const unasked = events.filter((each) => !each.includes('"usage"'));
  t.equal(await hidden.text(), unasked.join(""), "a usage event that was not asked for is hidden");
  t.match(upstream.seen[1]?.body, /"include_usage":true/);
});
