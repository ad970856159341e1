// The composition root: config → store → plugins → pipeline → listeners, and the way back.
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { Logger } from "pino";
import { z } from "zod";
import admin from "../plugins/admin/index.ts";
import adminLitellm from "../plugins/admin-litellm/index.ts";
import adminLlmgateway from "../plugins/admin-llmgateway/index.ts";
import adminSaas from "../plugins/admin-saas/index.ts";
import auth from "../plugins/auth/index.ts";
import budget from "../plugins/budget/index.ts";
import iam from "../plugins/iam/index.ts";
import logging from "../plugins/logging/index.ts";
import { accountNames } from "./account-names.ts";
import { Credits } from "./accounts/credits.ts";
import { Iam, type WarnOfRules } from "./accounts/iam.ts";
import { Jobs } from "./accounts/jobs.ts";
import { Keys } from "./accounts/keys.ts";
import { Accounts, type CheckRules } from "./accounts/service.ts";
import { createApi } from "./api/app.ts";
import { Credentials, type Plane } from "./api/credentials.ts";
import { documentRoutes } from "./api/document-routes.ts";
import { type ApiRoute, type RouteSet, route } from "./api/route.ts";
import { Throttle } from "./api/throttle.ts";
import { CallRoutes } from "./call-routes.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { createClientIp } from "./http/client-ip.ts";
import { Deadlines } from "./http/deadlines.ts";
import { createServer, listenOn } from "./http/server.ts";
import { iamRuleWarnings, keptRuleCheck } from "./kept-rule-check.ts";
import { createLedger } from "./ledger/engine.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { type Catalogue, createCatalogue } from "./llm/catalogue.ts";
import { listedModels } from "./llm/listed-models.ts";
import { collectEach, metricsRoute, processMetrics, single } from "./metrics.ts";
import { Pipeline } from "./pipeline.ts";
import type { Host, Management, Metric, Plugin } from "./plugin.ts";
import { declaredAttributes, registeredAttributes } from "./plugin-attributes.ts";
import { Providers } from "./providers.ts";
import { type LoadedPlugin, loadPlugins, Registry } from "./registry.ts";
import type { Attribute } from "./rules/attributes.ts";
import { createRuleService } from "./rules/engine.ts";
import { estimateAttributes } from "./rules/estimate-attributes.ts";
import type { RuleLoad } from "./rules/service.ts";
import { Spending } from "./spending.ts";
import { loadPepper, openStore } from "./store/open.ts";
import type { Store, StoreEvent } from "./store/store.ts";
import type { Clock } from "./types.ts";
import { version } from "./version.ts";
import { factsOfAll, loadInAll, metricsOfAll, statusOf } from "./workers/combined.ts";
import type { ProcessStatus, Workers } from "./workers/messages.ts";

const BUILTINS: ReadonlyMap<string, Plugin> = new Map(
  [auth, iam, budget, logging, admin, adminLitellm, adminSaas, adminLlmgateway].map((plugin) => [
    plugin.name,
    plugin as unknown as Plugin,
  ]),
);

/** How a list of models is asked for. */
const MODELS = { method: "GET", path: "/v1/models", wire: "openai", endpoint: "models" } as const;
/** How often this process says that it lives and gives idle leases back, milliseconds. */
const HEARTBEAT_MS = 1_000;
/** After the drain deadline, how long cut requests may take to settle, milliseconds. */
const CUT_SETTLE_MS = 5_000;

/** What the gateway is started with beside its config. */
export interface GatewayOptions {
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** The processes that serve the data plane in place of this one, which then has the admin listener only. */
  readonly workers?: Workers;
  /** This process is one of them: it has no admin listener. */
  readonly isWorker?: boolean;
}

/** A running gateway. */
export interface Gateway {
  /** Where the data plane listens. */
  readonly url: string;
  /** Where the admin API listens; empty in a worker. */
  readonly adminUrl: string;
  /** The admin key when it was made up at start; null when the config has it. */
  readonly adminKeyMade: string | null;
  readonly catalogue: Catalogue;
  readonly store: Store;
  readonly pepper: Buffer;
  /** Reads the rule files now; in the workers too. */
  reloadRules(): Promise<RuleLoad>;
  /** What this process has counted. */
  metrics(): readonly Metric[];
  status(): ProcessStatus;
  /** Stops taking requests, lets those under way finish until the drain deadline, settles everything, closes. */
  close(): Promise<void>;
}

/**
 * Starts everything, or nothing: what was opened before a failure is closed again.
 * @throws SetupError for bad rules or plugins (78), a port or database that cannot be had
 */
export async function startGateway(config: Config, options: GatewayOptions): Promise<Gateway> {
  const closers: (() => unknown)[] = [];
  try {
    return await compose(config, options, closers);
  } catch (error) {
    await closeAll(closers, options.log);
    throw error;
  }
}

/**
 * Checks what a start would refuse after the config's own schema, without opening or starting anything: the plugins
 * and their config, and models that are given two prices.
 * @throws SetupError 78
 */
export async function checkParts(config: Config): Promise<void> {
  createCatalogue({ providers: config.providers, models: config.models, nowMs: systemClock.nowMs() });
  await loadAll(config);
}

/** @param closers filled, as things are opened, with what closes them */
async function compose(config: Config, options: GatewayOptions, closers: (() => unknown)[]): Promise<Gateway> {
  const { log, clock = systemClock, workers, isWorker = false } = options;
  const health: Health = { storeProblem: null, unaccountedNanoUsd: 0n, rowsDropped: 0 };
  const store = openStore(config, { clock, onEvent: (event) => onStoreEvent(event, log, health) });
  closers.push(() => store.close());
  const pepper = loadPepper(config, options.env, store.accounts);
  const providers = await openProviders(config, clock, closers);
  // The plugins' own are added once they are set up: rules are loaded when they are started.
  const attributes = estimateAttributes((call, target) => providers.bound(call, target));
  const catalogue = {
    ...ruleCatalogue(providers, store),
    attributes: () => attributes,
    failingTests: config.rules.failingTests,
  };
  const rules = createRuleService({
    ...config.rules,
    catalogue,
    clock,
    log,
    recordValues: config.recording.values,
    keeper: {
      keep: (set) => store.rules.keep(config.rules.directory, set),
      kept: () => store.rules.kept(config.rules.directory),
    },
  });
  const ledger = createLedger({ store: store.ledger, clock, timeZone: config.timezone });
  const loaded = await loadAll(config);
  const management = managementOf({
    store,
    ledger,
    pepper,
    clock,
    checkRules: keptRuleCheck(catalogue, clock.nowMs),
    warnOf: iamRuleWarnings(catalogue, clock.nowMs),
  });
  const hostFor = (name: string): Host => ({
    log: log.child({ plugin: name }),
    clock,
    accounts: store.accounts,
    management,
    pepper,
    rules,
    ledger,
    requests: store.requests,
    models: ({ principal, headers, ip, id }) =>
      pipeline.models({ ...MODELS, headers, ip, id, receivedMs: clock.nowMs() }, principal),
    costBound: (call, target) => providers.bound(call, target),
  });
  const registry = new Registry(loaded, hostFor);
  attributes.push(...registeredAttributes(loaded, registry));
  closers.push(() => registry.stop());
  await registry.start();
  const beat = setInterval(() => {
    ledger.releaseIdle();
    store.ledger.heartbeat(ledger.inFlight());
  }, HEARTBEAT_MS).unref();
  closers.push(() => clearInterval(beat));

  const clientIp = createClientIp(config.trustedProxies);
  const calls = new CallRoutes(registry.having("routes").map(({ hooks }) => hooks.routes));
  const pipeline = new Pipeline({
    registry,
    providers,
    clock,
    log,
    clientIp,
    limits: config.limits,
    errorFormat: config.errorFormat,
    calls,
    rules,
  });
  const reloadRules = (): Promise<RuleLoad> => loadInAll(rules, workers);
  const adminKeyMade = config.admin.key === null ? `adm-${randomBytes(24).toString("base64url")}` : null;
  const sources = [
    { name: "gateway", collect: () => [...gatewayMetrics(pipeline, health), ...processMetrics()] },
    ...registry.having("metrics").map(({ name, hooks }) => ({ name, collect: () => hooks.metrics() })),
  ];
  const metrics = (): readonly Metric[] => collectEach(sources, log);
  const status = (): ProcessStatus => statusOf(pipeline, health.storeProblem, rules.status());
  const sets: readonly RouteSet[] = [
    {
      tag: "gateway",
      description: "The gateway itself.",
      routes: [
        reloadRoute(reloadRules, log),
        metricsRoute(() => metricsOfAll(metrics(), workers), config.admin.openMetrics),
        ...documentRoutes(() => sets, version()),
      ],
    },
    ...registry.having("routes").map(({ hooks }) => hooks.routes),
  ];
  const adminKey = config.admin.key ?? (adminKeyMade as string);
  const credentials = new Credentials({
    adminKey,
    authenticate: (head) => pipeline.authenticate(head),
    directory: store.directory,
    throttle: new Throttle(clock.monotonicMs),
  });
  const apiOn = (plane: Plane) =>
    createApi({ sets, plane, credentials, clientIp, clock, log, bodyBytesMax: config.limits.bodyBytesMax });
  const dataApi = apiOn("data");
  const common = {
    notReady: () => status().notReady ?? (workers?.serving === 0 ? "no worker serves" : null),
    facts: () => factsOfAll(status(), workers),
    requestTimeoutMs: config.limits.requestTimeoutMs,
  };
  const data = createServer({
    ...common,
    handler: (req, res) => (dataApi.serves(req.url) ? dataApi.handler(req, res) : pipeline.handle(req, res)),
  });
  const adminApi = apiOn("admin");
  const adminServer = createServer({
    ...common,
    handler: (req, res) => (calls.of(req.url) === null ? adminApi.handler(req, res) : pipeline.handle(req, res)),
  });
  closers.push(() => closeServers(data, adminServer));
  closers.push(() => workers?.drain());
  const url =
    workers === undefined
      ? await listenOn(data, config.listen.host, config.listen.port)
      : await workers.start(adminKey);
  const { host, port } = config.admin.listen;
  const adminUrl = isWorker ? "" : await listenOn(adminServer, host, port);
  const close = once(async () => {
    await drain(pipeline, data, config.limits.drainMs);
    await closeAll(closers, log);
  });
  const shown = { url, adminUrl, adminKeyMade, catalogue: providers.catalogue };
  return { ...shown, store, pepper, reloadRules, metrics, status, close };
}

/**
 * The attributes that the config's plugins declare, with nobody to read them. Nothing is set up or started.
 * @throws SetupError 78 for a plugin that cannot be loaded
 */
export async function attributesDeclaredBy(config: Config): Promise<Attribute[]> {
  return declaredAttributes(await loadAll(config));
}

/** The plugins that the config lists, then the APIs that are not among them. */
function loadAll({ plugins, admin, directory }: Config): Promise<LoadedPlugin[]> {
  const apis = admin.apis.filter((name) => plugins.every(({ use }) => use !== name));
  const added = apis.map((use) => ({ use, config: undefined, shown: undefined, source: null, path: [] }));
  return loadPlugins([...plugins, ...added], { builtins: BUILTINS, directory });
}

async function openProviders(config: Config, clock: Clock, closers: (() => unknown)[]): Promise<Providers> {
  const catalogue = createCatalogue({ providers: config.providers, models: config.models, nowMs: clock.nowMs() });
  const deadlines = new Deadlines(clock.monotonicMs);
  closers.push(() => deadlines.close());
  const addresses = [];
  for (const provider of config.providers) {
    if (provider.baseUrl !== "demo:") addresses.push(provider);
    else {
      const { startDemo } = await import("./llm/demo.ts");
      const demo = await startDemo();
      closers.push(() => demo.close());
      addresses.push({ ...provider, baseUrl: `${demo.url}/v1` });
    }
  }
  const { upstreamTimeoutMs: firstByteMs, idleTimeoutMs: idleMs, answerBytesMax } = config.limits;
  const providers = new Providers({
    catalogue,
    providers: addresses,
    limits: { firstByteMs, idleMs, answerBytesMax },
    deadlines,
    monotonicMs: clock.monotonicMs,
    errorFormat: config.errorFormat,
  });
  closers.push(() => providers.close());
  return providers;
}

/** The names that the rule checker knows. */
function ruleCatalogue({ catalogue }: Providers, { accounts }: Store) {
  return {
    models: () => catalogue.models(),
    providers: () => catalogue.providers(),
    teams: () => accountNames(accounts, "team"),
    keys: () => accountNames(accounts, "key"),
    listedModels: () => listedModels(systemClock.nowMs()),
  };
}

/** `RuleLoad`, for the document. */
const RULE_LOAD = z.object({
  ...{ ok: z.boolean(), changed: z.boolean(), generation: z.int(), hash: z.string(), files: z.int(), rules: z.int() },
  report: z.string().describe("Errors and warnings; empty when there are none"),
});

function reloadRoute(reload: () => Promise<RuleLoad>, log: Logger): ApiRoute {
  return route({
    ...{ method: "POST", path: "/-/reload", operationId: "reloadRules", access: "admin" },
    summary: "Reads the rule files now",
    replies: {
      200: { description: "They are in force.", schema: RULE_LOAD },
      422: { description: "They are broken, `report` says where; those before stay in force.", schema: RULE_LOAD },
    },
    handle: async () => {
      const load = await reload();
      log.info({ ok: load.ok, changed: load.changed, generation: load.generation }, "rules reloaded by an admin");
      return { status: load.ok ? 200 : 422, body: load };
    },
  });
}

interface ManagementParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly pepper: Buffer;
  readonly clock: Clock;
  readonly checkRules: CheckRules;
  readonly warnOf: WarnOfRules;
}

function managementOf({ store, ledger, pepper, clock, checkRules, warnOf }: ManagementParts): Management {
  const { directory, requests } = store;
  const nowMs = (): number => clock.nowMs();
  const accounts = new Accounts({ directory, checkRules });
  const credits = new Credits({ accounts, store: store.credits, nowMs });
  return {
    accounts,
    keys: new Keys({ accounts, pepper, nowMs }),
    credits,
    jobs: new Jobs({ accounts, credits, nowMs }),
    spending: new Spending({ directory, ledger, requests }),
    iam: new Iam({ accounts, warnOf }),
  };
}

/** What the store has told. */
interface Health {
  storeProblem: string | null;
  /** Charged by this process to budgets for processes that died. */
  unaccountedNanoUsd: bigint;
  rowsDropped: number;
}

function gatewayMetrics(pipeline: Pipeline, { storeProblem, unaccountedNanoUsd, rowsDropped }: Health): Metric[] {
  const ready = pipeline.draining || storeProblem !== null ? 0 : 1;
  return [
    single("gauge", "tollgate_requests_in_flight", "Requests under way.", pipeline.active),
    single("gauge", "tollgate_ready", "1 while requests are served, as /readyz says.", ready),
    single(
      "counter",
      "tollgate_unaccounted_usd_total",
      "Charged to budgets for gateways that died, in US dollars, by this one.",
      Number(unaccountedNanoUsd) / 1e9,
    ),
    single(
      "counter",
      "tollgate_rows_dropped_total",
      "Rows of refused requests that were not kept while the database could not be written.",
      rowsDropped,
    ),
  ];
}

function onStoreEvent(event: StoreEvent, log: Logger, health: Health): void {
  switch (event.kind) {
    case "unavailable":
      health.storeProblem = "the database cannot be written";
      log.error({ err: event.error }, "the database cannot be written: requests are refused until it can");
      break;
    case "available":
      health.storeProblem = null;
      log.info({ after_ms: event.afterMs }, "the database can be written again");
      break;
    case "recovered":
      for (const { quota, amount } of event.charged) {
        if (quota.startsWith("budget:")) health.unaccountedNanoUsd += amount;
      }
      log.warn(
        {
          process: event.process,
          pid: event.pid,
          charged: event.charged.map((c) => ({ ...c, amount: String(c.amount) })),
        },
        "a process died: what it held is charged as unaccounted",
      );
      break;
    case "rows_dropped":
      health.rowsDropped += event.count;
      log.warn({ count: event.count }, "rows of refused requests were not kept");
  }
}

/** Lets what is under way finish; what is not done by the deadline is cut, and settles as cut. */
async function drain(pipeline: Pipeline, server: Server, drainMs: number): Promise<void> {
  pipeline.draining = true;
  server.close();
  server.closeIdleConnections();
  await until(() => pipeline.active === 0, drainMs);
  server.closeAllConnections();
  await until(() => pipeline.active === 0, CUT_SETTLE_MS);
}

/** Closes everything, last opened first; one that fails is logged and the others get their turn. */
async function closeAll(closers: (() => unknown)[], log: Logger): Promise<void> {
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, "not everything could be closed");
    }
  }
}

async function until(isTrue: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!isTrue() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
}

function closeServers(...servers: readonly Server[]): Promise<unknown> {
  return Promise.all(
    servers.map((server) => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      return closed;
    }),
  );
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= work();
    return running;
  };
}
