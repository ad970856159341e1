// Reads a command's options: node:util's parseArgs, with errors that help.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { SetupError } from "../errors.ts";
import { suggest } from "../suggest.ts";

/** Options as `node:util` takes them. */
export type Specs = NonNullable<ParseArgsConfig["options"]>;

/** Options that every command takes; `--help` is answered before the command runs. */
const COMMON = { config: { type: "string" }, json: { type: "boolean" } } as const satisfies Specs;

/** What a command line may hold. */
export interface OptionSyntax<Options extends Specs> {
  /** The command's name, with its subcommand: `keys create`. */
  readonly command: string;
  readonly options: Options;
  /** Names of the arguments without dashes, all required: `["ID|ALIAS"]`. */
  readonly positionals?: readonly string[];
}

/** Type of the values that a syntax gives: text, true, or a list of texts; undefined when left out. */
export type OptionValues<Options extends Specs> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options & typeof COMMON; allowPositionals: true }>
>["values"];

/**
 * The options and arguments.
 * @throws SetupError 64 for an unknown option, a missing or superfluous value, a missing or superfluous argument
 */
export function parseOptions<const Options extends Specs>(
  argv: readonly string[],
  { command, options, positionals = [] }: OptionSyntax<Options>,
): { readonly values: OptionValues<Options>; readonly positionals: readonly string[] } {
  const all: Specs = { ...options, ...COMMON };
  const config = { args: [...argv], options: all, allowPositionals: true, strict: false, tokens: true } as const;
  const { values, positionals: given, tokens } = parseArgs(config);
  for (const token of tokens) {
    if (token.kind === "option") checkOption(token, all, command);
  }
  if (given.length < positionals.length) throw usage(command, `${positionals[given.length]} is missing`);
  if (given.length > positionals.length) throw usage(command, `unexpected argument \`${given[positionals.length]}\``);
  return { values: values as OptionValues<Options>, positionals: given };
}

/** A usage error, pointing at the command's help. */
export function usage(command: string, message: string): SetupError {
  const name = command.split(" ", 1)[0] ?? command;
  return new SetupError(`${command}: ${message} (see \`tollgate ${name} --help\`)`, 64);
}

/** The value when it is one of those allowed, else a usage error with a suggestion. */
export function oneOf<Value extends string>(
  command: string,
  option: string,
  value: string,
  allowed: readonly Value[],
): Value {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  const near = suggest(value, allowed);
  const help = near === null ? `write one of ${allowed.join(", ")}` : `did you mean \`${near}\`?`;
  throw usage(command, `unknown ${option} \`${value}\`: ${help}`);
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function checkOption({ name, rawName, value, inlineValue }: OptionToken, all: Specs, command: string): void {
  const spec = Object.hasOwn(all, name) ? all[name] : undefined;
  if (spec === undefined) throw unknownOption(rawName, Object.keys(all), command);
  if (spec.type === "boolean" && value !== undefined) throw usage(command, `${rawName} takes no value`);
  if (spec.type === "boolean") return;
  if (value === undefined || value === "") throw usage(command, `${rawName} needs a value`);
  if (inlineValue === false && value.startsWith("-") && value !== "-") {
    throw usage(command, `${rawName} needs a value; for one that starts with a dash write ${rawName}=${value}`);
  }
}

function unknownOption(rawName: string, known: readonly string[], command: string): SetupError {
  const near = suggest(rawName.replace(/^-+/, ""), known);
  const help = near === null ? "" : `: did you mean \`--${near}\`?`;
  return usage(command, `unknown option \`${rawName}\`${help}`);
}
