// What soaks share: a provider that keeps its own books, a folder with config, rules and a key, `tollgate run` on it.
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { formatUsd } from "../src/money.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";

const ENTRY = join(import.meta.dirname, "..", "src", "tollgate.cjs");
const MAX_TOKENS = 20;
/** Nothing takes that long. */
const ANSWER_MS = 180_000;

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: MAX_TOKENS };
/** The bodies of the two kinds of requests. */
export const PLAIN = JSON.stringify(CHAT);
export const STREAM = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } });
/** The most a request can cost, nano-USD: a byte is at most a token. */
export const BOUND = Math.max(PLAIN.length, STREAM.length) * 150 + MAX_TOKENS * 600;

/** What the provider counted. */
export interface Books {
  readonly requests: number;
  readonly tokens: number;
  readonly nanoUsd: number;
  readonly inFlightMost: number;
}

/** A gateway that runs. */
export interface SoakGateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly adminKey: string;
  readonly child: ChildProcess;
}

/** What the database says of the key's budget and of its requests. */
export interface Charged {
  readonly spent: bigint;
  readonly unaccounted: bigint;
  readonly leased: bigint;
  readonly rowsNanoUsd: bigint;
  readonly rows: number;
}

/** What a soak may choose. */
export interface SoakOptions {
  readonly budgetNanoUsd: number;
  /** The rule files' text after `default allow`. */
  readonly rules?: string;
  readonly config?: object;
}

/** One soak's provider and folder. */
export class SoakRig {
  readonly directory = mkdtempSync(join(tmpdir(), "tollgate-soak-"));
  readonly #upstream = fork(new URL("billing-upstream.ts", import.meta.url));
  key = "";

  /** Makes the folder by the commands that people use. */
  async prepare({ budgetNanoUsd, rules = "", config = {} }: SoakOptions): Promise<void> {
    const [{ url }] = (await once(this.#upstream, "message")) as [{ url: string }];
    mkdirSync(join(this.directory, "rules"));
    writeFileSync(join(this.directory, "rules", "all.rules"), `version 1\ndefault allow\n${rules}`);
    const providers = [{ name: "openai", base_url: `${url}/v1`, wire: "openai" }];
    const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
    const log = { file: join(this.directory, "gateway.log") };
    writeFileSync(join(this.directory, "tollgate.yaml"), JSON.stringify({ ...listeners, providers, log, ...config }));
    const words = ["keys", "create", "--alias", "soak", "--budget", `$${formatUsd(budgetNanoUsd)} per year`, "--json"];
    const made = execFileSync(process.execPath, [ENTRY, ...words], { cwd: this.directory, encoding: "utf8" });
    this.key = JSON.parse(made).key;
  }

  /** Starts a gateway and resolves once it listens. */
  async start(workers = 1): Promise<SoakGateway> {
    const words = ["run", "--json", ...(workers > 1 ? ["--workers", String(workers)] : [])];
    const child = spawn(process.execPath, [ENTRY, ...words], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (text) => resolve(String(text)));
      child.once("exit", (code, signal) => reject(new Error(`a gateway ended at its start: ${signal ?? code}`)));
    });
    const { url, admin_url: adminUrl, admin_key: adminKey } = JSON.parse(line);
    return { url, adminUrl, adminKey, child };
  }

  /** Asks once; resolves with the answer and its body, rejects when the connection fails or the answer breaks off. */
  async ask(url: string, body: string, agent: Agent): Promise<{ answer: IncomingMessage; text: string }> {
    const headers = { authorization: `Bearer ${this.key}`, "content-length": body.length };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const req = request(
        `${url}/v1/chat/completions`,
        { method: "POST", headers, agent, timeout: ANSWER_MS },
        resolve,
      );
      req.once("error", reject);
      req.once("timeout", () => req.destroy(new Error("no answer in time")));
      req.end(body);
    });
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    return { answer, text };
  }

  /** What the provider has counted so far. */
  async books(): Promise<Books> {
    this.#upstream.send("books");
    const [books] = (await once(this.#upstream, "message")) as [Books];
    return books;
  }

  /** Opens the database as the next process would: what a dead one held is charged. */
  async charged(): Promise<Charged> {
    const store = openSqlite({ path: join(this.directory, "tollgate.db"), clock: systemClock });
    const [row] = store.requests.usage("key", 0);
    const [own] = store.accounts.getKey("soak").principal.budgets;
    const year = String(new Date().getUTCFullYear());
    const counter = store.ledger.counter({ quota: `budget:${own?.id}`, window: year });
    await store.close();
    const { spent, unaccounted, leased } = counter;
    return { spent, unaccounted, leased, rowsNanoUsd: row?.costNanoUsd ?? 0n, rows: row?.requests ?? 0 };
  }

  /** Ends the provider and removes the folder. */
  close(): void {
    this.#upstream.disconnect();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Drains a gateway; its exit code. */
export async function stop({ child }: SoakGateway): Promise<number | null> {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  return (await ended)[0] as number | null;
}
