// Every way to get the config wrong, with the text that people see.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadConfig } from "../../src/config.ts";
import { SetupError } from "../../src/errors.ts";
import { goldenFiles } from "../support/golden-file.ts";

const env = { OPENAI_API_KEY: "sk-from-the-environment", PROVIDER: "demo" };
const cwd = t.testdir({});

function complaint(yaml: string): SetupError {
  writeFileSync(join(cwd, "tollgate.yaml"), yaml);
  try {
    loadConfig({ cwd, env });
  } catch (error) {
    if (error instanceof SetupError) return error;
    throw error;
  }
  throw new Error("the config was accepted");
}

t.test("each broken file is refused with all its errors, their places and what to write instead", async (t) => {
  const files = goldenFiles("config", (input) => complaint(input).message);
  t.ok(files.length >= 10, "the golden files are there");
  for (const { name, input, expected } of files) {
    const error = complaint(input);
    t.equal(error.message, expected, name);
    t.equal(error.exitCode, 78, `${name}: exit code`);
    t.notMatch(
      error.message,
      /from-the-environment|hunter2|verysecret|literal-secret|abcdefghij/,
      `${name}: no secret`,
    );
  }
});

t.test("a file that cannot be read says why", async (t) => {
  t.throws(() => loadConfig({ cwd, env, path: "nope.yaml" }), { message: /nope\.yaml does not exist$/, exitCode: 78 });
  t.throws(() => loadConfig({ cwd, env, path: "." }), { message: /is a directory$/, exitCode: 78 });
});

t.test("a config whose aliases grow without bound is refused", async (t) => {
  const levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 9; level += 1) {
    levels.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(", ")}]`,
    );
  }
  t.match(complaint(levels.join("\n")).message, /^error: YAML: aliases/);
});

t.test("an error far down names its own line, also with CRLF and text of several bytes", async (t) => {
  const yaml = `# ${"ü".repeat(30)}\r\n${"#\r\n".repeat(120)}  \r\nlog:\r\n  levle: info\r\n`;
  t.match(complaint(yaml).message, /--> tollgate\.yaml:124:3\n/);
});
