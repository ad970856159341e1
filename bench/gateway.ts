// The whole gateway for benchmarks, in a process of its own: all plugins, rules, a budget, a SQLite file, the log.
// BENCH_WITHOUT=NAME leaves one of the plugins out.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { startGateway } from "../src/gateway.ts";
import { displayParts, hashKey, newKeySecret } from "../src/key-secret.ts";
import { createLogger } from "../src/log.ts";
import { onCpuQuestion } from "./cpu.ts";

const directory = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
const shipped = new URL("../rules", import.meta.url).pathname;
const config = {
  listen: "127.0.0.1:0",
  admin: { listen: "127.0.0.1:0" },
  rules: shipped,
  providers: [
    { name: "openai", base_url: `${process.env.BENCH_UPSTREAM}/v1`, wire: "openai", api_key: "sk-bench-provider-key" },
  ],
  log: { file: join(directory, "gateway.log") },
  plugins: ["auth", "iam", "budget", "logging"].filter((name) => name !== process.env.BENCH_WITHOUT),
};
writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify(config));
const loaded = loadConfig({ cwd: directory, env: {} });
const log = createLogger(loaded.log, { tty: false, color: false });
const gateway = await startGateway(loaded, { log: log.logger, env: {} });

const { accounts } = gateway.store;
const budget = { limitNanoUsd: 1_000_000_000_000_000n, window: "month" } as const;
accounts.createTeam("bench", budget);
const secret = newKeySecret();
accounts.createKey({
  alias: "bench",
  hash: hashKey(secret, gateway.pepper),
  ...displayParts(secret),
  teamAlias: "bench",
  budget,
});
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
process.send?.({ url: gateway.url, key: secret });
onCpuQuestion();
