// The connection to a gateway's admin API: where it is, with which key, and its errors as a command tells them.
import { ACCOUNT_ERRORS, AccountError, type AccountErrorCode } from "../accounts/errors.ts";
import { ApiError, AuthenticationError, NotFoundError, TollgateAdmin, TollgateError } from "../client/index.ts";
import { SetupError } from "../errors.ts";
import type { Io } from "./command.ts";
import type { Place } from "./desk.ts";
import { RefusedRules } from "./rule-checker.ts";

/** A gateway that can be asked. */
export interface RemoteGateway {
  readonly admin: TollgateAdmin;
  /** What was answered. @throws AccountError for what the gateway refused, SetupError 1 when it cannot be asked */
  ask<Reply>(answer: Promise<Reply>): Promise<Reply>;
}

/** Reads URL and key; asks nothing yet. @throws SetupError 64 without a usable one */
export async function connect(io: Io, place: Place): Promise<RemoteGateway> {
  const url = readUrl(place.url ?? "");
  const adminKey = await readKey(io, place);
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    io.stderr.write(`warning: the admin key goes to ${url.host} unencrypted: use https\n`);
  }
  const admin = new TollgateAdmin({ baseUrl: url.href, adminKey });
  return {
    admin,
    ask: async (answer) => {
      try {
        return await answer;
      } catch (error) {
        throw error instanceof TollgateError ? await toldBy(error, admin, url) : error;
      }
    },
  };
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === null || !isWeb) throw new SetupError("--url takes an address such as http://127.0.0.1:4001", 64);
  if (url.username === "" && url.password === "") return url;
  throw new SetupError("--url must hold no key: set TOLLGATE_ADMIN_KEY, or use --key-stdin", 64);
}

async function readKey(io: Io, { keyStdin }: Place): Promise<string> {
  const key = keyStdin ? await firstLine(io) : (io.env.TOLLGATE_ADMIN_KEY ?? "");
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  if (key !== "") throw new SetupError("the admin key holds what no key can: blanks or characters beyond ASCII", 64);
  const where = keyStdin ? "standard input is empty" : "TOLLGATE_ADMIN_KEY is not set";
  throw new SetupError(`--url needs the gateway's admin key: ${where} (or --key-stdin)`, 64);
}

async function firstLine({ stdin }: Io): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin ?? []) {
    chunks.push(chunk);
    if (chunk.includes(0x0a)) break;
  }
  return Buffer.concat(chunks).toString("utf8").split("\n", 1)[0]?.trim() ?? "";
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

/** What the gateway refused is an account error, as it is on a database. */
async function toldBy(error: TollgateError, admin: TollgateAdmin, { origin }: URL): Promise<Error> {
  if (error instanceof AuthenticationError) {
    return new SetupError(
      `${origin} does not take this admin key: it is \`admin.key\` of that gateway's config`,
      1,
      error,
    );
  }
  if (!(error instanceof ApiError)) return new SetupError(error.message, 1, error);
  if (error instanceof NotFoundError && !(await isAdminApi(admin))) {
    const help = "is it the address of `admin.listen`, and is `admin` among its `admin.apis`?";
    return new SetupError(`${origin} answers, but has no admin API: ${help}`, 1, error);
  }
  const { message, code, field, diagnostics } = error;
  if (diagnostics.length > 0) return new RefusedRules(message, diagnostics);
  if (code === null || !Object.hasOwn(ACCOUNT_ERRORS, code)) return new SetupError(message, 1, error);
  // The gateway has said already which field may have been meant.
  return new AccountError(code as AccountErrorCode, message, { field: code === "taken" ? field : null, cause: error });
}

async function isAdminApi(admin: TollgateAdmin): Promise<boolean> {
  try {
    await admin.groups.list({ limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}
