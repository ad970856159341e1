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
import { createApi } from "./api/app.ts";
import { Credentials, type Plane } from "./api/credentials.ts";
import { documentRoutes } from "./api/document-routes.ts";
import { type ApiRoute, type RouteSet, route } from "./api/route.ts";
import { Throttle } from "./api/throttle.ts";
import { CallRoutes } from "./call-routes.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { gatewayMetrics, type Health, onStoreEvent } from "./health.ts";
import { type ClientIp, createClientIp } from "./http/client-ip.ts";
import { createServer, listenOn } from "./http/server.ts";
import { iamRuleWarnings, keptRuleCheck } from "./kept-rule-check.ts";
import { createLedger } from "./ledger/engine.ts";
import { type Catalogue, createCatalogue } from "./llm/catalogue.ts";
import { listedModels } from "./llm/listed-models.ts";
import { managementOf } from "./management.ts";
import { collectEach, metricsRoute, processMetrics } from "./metrics.ts";
import { openProviders } from "./open-providers.ts";
import { Pipeline } from "./pipeline.ts";
import type { Host, Metric, Plugin } from "./plugin.ts";
import { declaredAttributes, registeredAttributes } from "./plugin-attributes.ts";
import type { Providers } from "./providers.ts";
import { type LoadedPlugin, loadPlugins, Registry } from "./registry.ts";
import type { Attribute } from "./rules/attributes.ts";
import { createRuleService } from "./rules/engine.ts";
import { estimateAttributes } from "./rules/estimate-attributes.ts";
import type { RuleLoad, RuleService } from "./rules/service.ts";
import { closeAll, closeServers, drain, once } from "./shutdown.ts";
import { loadPepper, openStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";
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

/** What serves requests, opened and started but not reachable yet. */
interface Core {
  readonly store: Store;
  readonly pepper: Buffer;
  readonly providers: Providers;
  readonly rules: RuleService;
  readonly registry: Registry;
  readonly pipeline: Pipeline;
  readonly calls: CallRoutes;
  readonly clientIp: ClientIp;
  readonly health: Health;
}

/** @param closers filled, as things are opened, with what closes them */
async function compose(config: Config, options: GatewayOptions, closers: (() => unknown)[]): Promise<Gateway> {
  const { log, workers } = options;
  const core = await openCore(config, options, closers);
  const { store, pepper, providers, registry, rules, pipeline, health } = core;
  const sources = [
    { name: "gateway", collect: () => [...gatewayMetrics(pipeline, health), ...processMetrics()] },
    ...registry.having("metrics").map(({ name, hooks }) => ({ name, collect: () => hooks.metrics() })),
  ];
  const metrics = (): readonly Metric[] => collectEach(sources, log);
  const status = (): ProcessStatus => statusOf(pipeline, health.storeProblem, rules.status());
  const reloadRules = (): Promise<RuleLoad> => loadInAll(rules, workers);
  const adminKeyMade = config.admin.key === null ? `adm-${randomBytes(24).toString("base64url")}` : null;
  const adminKey = config.admin.key ?? (adminKeyMade as string);
  const { url, adminUrl, data } = await openListeners(core, config, options, closers, {
    adminKey,
    status,
    own: [
      reloadRoute(reloadRules, log),
      metricsRoute(() => metricsOfAll(metrics(), workers), config.admin.openMetrics),
    ],
  });
  const close = once(async () => {
    await drain(pipeline, data, config.limits.drainMs);
    await closeAll(closers, log);
  });
  const shown = { url, adminUrl, adminKeyMade, catalogue: providers.catalogue };
  return { ...shown, store, pepper, reloadRules, metrics, status, close };
}

/** Store, providers, rules, plugins, pipeline. */
async function openCore(config: Config, options: GatewayOptions, closers: (() => unknown)[]): Promise<Core> {
  const { log, clock = systemClock } = options;
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
  const { limits, errorFormat } = config;
  const pipeline = new Pipeline({ registry, providers, clock, log, clientIp, limits, errorFormat, calls, rules });
  return { store, pepper, providers, rules, registry, pipeline, calls, clientIp, health };
}

/** What the listeners serve beside the pipeline and the plugins' routes. */
interface Served {
  readonly adminKey: string;
  readonly status: () => ProcessStatus;
  /** The gateway's own routes. */
  readonly own: readonly ApiRoute[];
}

/** Opens the data plane, here or in the workers, and unless this is one of them the admin listener. */
async function openListeners(
  { store, registry, pipeline, calls, clientIp }: Core,
  config: Config,
  { log, clock = systemClock, workers, isWorker = false }: GatewayOptions,
  closers: (() => unknown)[],
  { adminKey, status, own }: Served,
): Promise<{ readonly url: string; readonly adminUrl: string; readonly data: Server }> {
  const sets: readonly RouteSet[] = [
    {
      tag: "gateway",
      description: "The gateway itself.",
      routes: [...own, ...documentRoutes(() => sets, version())],
    },
    ...registry.having("routes").map(({ hooks }) => hooks.routes),
  ];
  const credentials = new Credentials({
    adminKey,
    authenticate: (head) => pipeline.authenticate(head),
    directory: store.directory,
    throttle: new Throttle(clock.monotonicMs),
  });
  const apiOn = (plane: Plane) =>
    createApi({ sets, plane, credentials, clientIp, clock, log, bodyBytesMax: config.limits.bodyBytesMax });
  const common = {
    notReady: () => status().notReady ?? (workers?.serving === 0 ? "no worker serves" : null),
    facts: () => factsOfAll(status(), workers),
    requestTimeoutMs: config.limits.requestTimeoutMs,
  };
  const dataApi = apiOn("data");
  const data = createServer({
    ...common,
    handler: (req, res) => (dataApi.serves(req.url) ? dataApi.handler(req, res) : pipeline.handle(req, res)),
  });
  const adminApi = isWorker ? null : apiOn("admin");
  const adminServer =
    adminApi &&
    createServer({
      ...common,
      handler: (req, res) => (calls.of(req.url) === null ? adminApi.handler(req, res) : pipeline.handle(req, res)),
    });
  closers.push(() => closeServers(data, ...(adminServer === null ? [] : [adminServer])));
  closers.push(() => workers?.drain());
  const { listen, admin } = config;
  const url = workers === undefined ? await listenOn(data, listen.host, listen.port) : await workers.start(adminKey);
  const adminUrl = adminServer === null ? "" : await listenOn(adminServer, admin.listen.host, admin.listen.port);
  return { url, adminUrl, data };
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
