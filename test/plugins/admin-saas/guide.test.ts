// The team authentication guide of SaaS LiteLLM, walked from the team's creation to its last error.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { chatEvents } from "../../support/upstream.ts";
import { ACME, ADMIN_KEY, acme, bearer, HELLO, type Json, setUp } from "./rig.ts";

const exec = promisify(execFile);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

t.test("getting your virtual key: the creation's answer has it, and it is shown this once", async (t) => {
  const { admin, gateway } = await setUp(t);
  const made = await admin("POST", "/api/teams/create", ACME);
  t.equal(made.status, 200);
  t.match(made.json, {
    ...{ team_id: "acme-corp", organization_id: "org_acme", credits_allocated: 1000, credits_remaining: 1000 },
    ...{ status: "active", virtual_key: /^sk-[0-9A-Za-z]{40}$/, team_alias: "ACME Corp Team" },
  });
  t.match(made.json.notes, [/organisation org_acme was not there/, /access group gpt-models is not there/]);
  const key = String(made.json.virtual_key);
  const shown = await admin("GET", "/api/teams/acme-corp");
  t.match(shown.json, { team_id: "acme-corp", organization_id: "org_acme", credits_remaining: 1000, status: "active" });
  t.equal(shown.json.virtual_key, `${key.slice(0, 7)}…${key.slice(-4)}`, "masked");
  t.match(shown.json.notes, [/shown once/]);
  const own = await admin("GET", "/api/teams/acme-corp", undefined, bearer(key));
  t.strictSame(own.json, shown.json, "a team sees itself");
  t.notOk(JSON.stringify([shown.json, gateway.logged]).includes(key.slice(7)), "nowhere else");
});

t.test("admin and team authentication are completely separate: neither opens the other's doors", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { key, as } = await acme(rig);
  const refused = { status: 401, json: { detail: "Invalid or missing API key" } };
  const adminDoors: [string, string, unknown?][] = [
    ["POST", "/api/teams/create", { ...ACME, team_id: "other" }],
    ["GET", "/api/teams"],
    ["PUT", "/api/teams/acme-corp", { status: "paused" }],
    ["DELETE", "/api/teams/acme-corp"],
    ["PUT", "/api/teams/acme-corp/access-groups", { access_groups: [] }],
    ["PUT", "/api/teams/acme-corp/suspend"],
    ["POST", "/api/teams/acme-corp/rotate-key"],
    ["POST", "/api/credits/add", { team_id: "acme-corp", credits: 5 }],
    ["POST", "/api/organizations/create", { organization_id: "mine" }],
    ["POST", "/api/access-groups/create", { group_name: "mine", models: ["*"] }],
  ];
  for (const [method, path, body] of adminDoors) {
    for (const headers of [as, bearer(ADMIN_KEY), {}, { "x-admin-key": key }]) {
      t.match(await admin(method, path, body, headers), refused, `${method} ${path} ${Object.keys(headers)}`);
    }
    const onData = (await data(method, path, body)).status;
    t.ok(onData === 404 || onData === 405, `${method} ${path} is not on the data plane`);
  }
  const teamDoors: [string, string, unknown?][] = [
    ["POST", "/api/jobs/create", { team_id: "acme-corp", job_type: "x" }],
    ["GET", "/api/jobs"],
    ["GET", "/api/teams/verify"],
    ["POST", "/api/jobs/5d4ff0b0-0000-4000-8000-000000000000/llm-call", HELLO],
    ["POST", "/api/jobs/5d4ff0b0-0000-4000-8000-000000000000/complete"],
  ];
  for (const [method, path, body] of teamDoors) {
    for (const headers of [{ "x-admin-key": ADMIN_KEY }, bearer(ADMIN_KEY)]) {
      t.match(await admin(method, path, body, headers), refused, `${method} ${path} on the admin listener`);
      t.match(await data(method, path, body, headers), refused, `${method} ${path} on the data plane`);
    }
  }
  t.match((await admin("GET", "/api/teams/acme-corp")).json, { status: "active", credits_remaining: 1000 });
});

t.test("a job: created, used, completed; it costs one credit however many calls it made", async (t) => {
  const rig = await setUp(t);
  const { admin, data, upstream } = rig;
  const { as } = await acme(rig);
  const wish = { team_id: "acme-corp", job_type: "document_analysis", metadata: { document: 7 } };
  const created = await data("POST", "/api/jobs/create", wish, as);
  t.equal(created.status, 200);
  t.match(created.json, { job_id: UUID, status: "pending", created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ });
  t.same(Object.keys(created.json), ["job_id", "status", "created_at"]);
  const path = `/api/jobs/${created.json.job_id}`;
  const called = await data("POST", `${path}/llm-call`, HELLO, as);
  t.match(called, { status: 200, json: { object: "chat.completion", choices: [{ message: { content: "Hello!" } }] } });
  t.ok(called.headers.get("x-tollgate-cost-usd"));
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.end(chatEvents(["Hel", "lo!"]).join(""));
  };
  const streamed = await admin("POST", `${path}/llm-call`, { ...HELLO, stream: true }, as);
  t.match(
    streamed.json.text,
    /"content":"Hel"[\s\S]*"content":"lo!"[\s\S]*data: \[DONE\]/,
    "on the admin listener too",
  );
  t.same(
    upstream.seen.map(({ url }) => url),
    ["/v1/chat/completions", "/v1/chat/completions"],
  );
  t.notOk(
    upstream.seen.some(({ headers }) => String(headers.authorization).includes("sk-")),
    "no virtual key leaves",
  );
  const open = await data("GET", path, undefined, as);
  t.match(open.json, {
    ...{ status: "in_progress", credits_reserved: 1, credits_charged: 0, metadata: { document: 7 } },
    costs: {
      total_calls: 2,
      successful_calls: 2,
      failed_calls: 0,
      input_tokens: 20,
      output_tokens: 10,
      total_tokens: 30,
    },
  });
  t.match((await data("GET", "/api/credits/balance?team_id=acme-corp", undefined, as)).json, {
    ...{ team_id: "acme-corp", credits_allocated: 1000, credits_used: 0, credits_reserved: 1, credits_remaining: 999 },
  });
  const done = await data("POST", `${path}/complete`, { status: "completed", metadata: { pages: 3 } }, as);
  t.match(done, {
    status: 200,
    json: {
      status: "completed",
      credits_charged: 1,
      credits_reserved: 0,
      credits_remaining: 999,
      metadata: { pages: 3 },
    },
  });
  t.equal((await data("POST", `${path}/complete`, undefined, as)).json.credits_remaining, 999, "asked again");
  t.match(await data("POST", `${path}/fail`, undefined, as), { status: 409, json: { detail: /completed already/ } });
  t.match(await data("POST", `${path}/llm-call`, HELLO, as), { status: 409, json: { detail: /completed already/ } });
  const failed = await data("POST", "/api/jobs/create", wish, as);
  const ended = await data("POST", `/api/jobs/${failed.json.job_id}/fail`, { error_message: "no text" }, as);
  t.match(ended.json, { status: "failed", error_message: "no text", credits_charged: 0, credits_remaining: 999 });
  const booked = await admin("GET", "/api/credits/transactions?team_id=acme-corp");
  t.match(booked.json, {
    total_transactions: 2,
    transactions: [
      { transaction_type: "job", credits_amount: -1, balance_after: 999, job_id: created.json.job_id },
      { transaction_type: "allocate", credits_amount: 1000, balance_after: 1000, actor: "master" },
    ],
  });
  t.match((await data("GET", "/api/jobs?status=failed", undefined, as)).json, {
    total: 1,
    jobs: [{ job_type: wish.job_type }],
  });
});

t.test("401 unauthorized: missing header, invalid format, a key that does not exist or was revoked", async (t) => {
  const rig = await setUp(t, { config: { error_format: "detail" } });
  const { admin, data } = rig;
  const { key, as } = await acme(rig);
  const refused = { status: 401, json: { detail: "Invalid or missing API key" } };
  const wrong = [
    {},
    bearer("nonsense"),
    { authorization: "Basic eDp5" },
    bearer(`${key.slice(0, -1)}!`),
    bearer("sk-1234567890abcdef1234567890abcdef"),
  ];
  const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
  const everywhere = async (headers: Record<string, string>): Promise<void> => {
    for (const [method, path, body] of [
      ["POST", "/api/jobs/create", { team_id: "acme-corp", job_type: "test" }],
      ["POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO],
      ["GET", "/api/teams/verify", undefined],
      ["POST", "/v1/chat/completions", HELLO],
    ] as const) {
      t.match(await data(method, path, body, headers), refused, `${path} ${JSON.stringify(headers)}`);
    }
  };
  for (const headers of wrong) await everywhere(headers);
  await admin("DELETE", "/api/teams/acme-corp");
  await everywhere(as);
});

t.test("403 forbidden: suspended, paused, out of credits", async (t) => {
  const rig = await setUp(t, { config: { error_format: "detail" } });
  const { admin, data } = rig;
  const { as } = await acme(rig, { credits_allocated: 1 });
  const refused = { status: 403, json: { detail: "Team suspended or insufficient credits" } };
  const create = () => data("POST", "/api/jobs/create", { team_id: "acme-corp", job_type: "x" }, as);
  const job = await create();
  t.equal(job.status, 200);
  t.match(await create(), refused, "the one credit is held");
  const call = () => data("POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO, as);
  t.equal((await call()).status, 200, "what is open goes on");
  for (const [verb, status] of [
    ["suspend", "suspended"],
    ["pause", "paused"],
  ] as const) {
    t.match(await admin("PUT", `/api/teams/acme-corp/${verb}`), { status: 200, json: { status } });
    for (const answer of [await create(), await call(), await data("GET", "/api/teams/verify", undefined, as)]) {
      t.match(answer, refused, verb);
    }
    t.match(await data("POST", "/v1/chat/completions", HELLO, as), refused);
    t.match((await admin("GET", "/api/teams/acme-corp")).json, { status }, "the solution: check team status");
  }
  t.match(await admin("PUT", "/api/teams/acme-corp/resume"), { json: { status: "active" } });
  t.equal((await call()).status, 200);
  t.match(await admin("POST", "/api/credits/add", { team_id: "acme-corp", credits: 2, reason: "paid" }), {
    ...{ status: 200, json: { credits_allocated: 3, credits_remaining: 2 } },
  });
  t.equal((await create()).status, 200, "the solution: add credits");
});

t.test(
  "403 model access denied: the access group has not the model; the solution is to update the groups",
  async (t) => {
    const rig = await setUp(t, { config: { error_format: "detail" } });
    const { admin, data, upstream } = rig;
    const { as } = await acme(rig);
    const refused = { status: 403, json: { detail: "Team does not have access to the requested model" } };
    const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
    const call = (model: string) => data("POST", `/api/jobs/${job.json.job_id}/llm-call`, { ...HELLO, model }, as);
    t.match(await call("gpt-4o"), refused);
    t.match(await data("POST", "/v1/chat/completions", { ...HELLO, model: "gpt-4o" }, as), refused);
    t.equal(upstream.seen.length, 0);
    t.equal((await call("gpt-4o-mini")).status, 200);
    await admin("PUT", "/api/access-groups/gpt-models", { models: ["gpt-4o"] });
    t.match(await call("gpt-4o-mini"), refused, "the group has changed, and it counts at once");
    t.equal((await call("gpt-4o")).status, 200);
    const set = await admin("PUT", "/api/teams/acme-corp/access-groups", { access_groups: ["gpt-models", "mini"] });
    t.match(set.json, { access_groups: ["gpt-models", "mini"], notes: [/mini is not there/, /./] });
    await admin("POST", "/api/access-groups/create", { group_name: "mini", models: ["gpt-4o-mini"] });
    t.equal((await call("gpt-4o-mini")).status, 200);
  },
);

t.test("virtual keys are team-specific: one team cannot use another team's things", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { as } = await acme(rig);
  const other = await admin("POST", "/api/teams/create", { ...ACME, team_id: "rival", team_alias: "Rival" });
  const rival = bearer(other.json.virtual_key);
  const job = await data("POST", "/api/jobs/create", { team_id: "acme-corp", job_type: "x" }, as);
  const refused = { status: 403, json: { detail: "API key does not belong to this team" } };
  for (const [method, path, body] of [
    ["POST", "/api/jobs/create", { team_id: "acme-corp", job_type: "x" }],
    ["POST", "/api/jobs/create", { team_id: "no-such-team", job_type: "x" }],
    ["GET", `/api/jobs/${job.json.job_id}`, undefined],
    ["POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO],
    ["POST", `/api/jobs/${job.json.job_id}/complete`, undefined],
    ["POST", `/api/jobs/${job.json.job_id}/fail`, undefined],
    ["GET", "/api/jobs?team_id=acme-corp", undefined],
    ["GET", "/api/credits/balance?team_id=acme-corp", undefined],
    ["GET", "/api/credits/transactions?team_id=acme-corp", undefined],
    ["GET", "/api/teams/acme-corp", undefined],
    ["GET", "/api/teams/no-such-team", undefined],
  ] as const) {
    t.match(await data(method, path, body, rival), refused, `${method} ${path}`);
  }
  t.match((await data("GET", `/api/jobs/${job.json.job_id}`, undefined, as)).json, { status: "pending" });
  t.match(await data("GET", "/api/credits/balance", undefined, rival), { json: { team_id: "rival" } }, "its own");
});

t.test("key rotation: the new key works, the old one in its grace period alone", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { key, as } = await acme(rig);
  const verify = async (headers: Record<string, string>) =>
    (await data("GET", "/api/teams/verify", undefined, headers)).status;
  const rotated = await admin("POST", "/api/teams/acme-corp/rotate-key", { grace_period: "1h" });
  const next = rotated.json.virtual_key;
  t.match(rotated.json, { team_id: "acme-corp", virtual_key: /^sk-[0-9A-Za-z]{40}$/ });
  t.not(next, key);
  t.same([await verify(as), await verify(bearer(next))], [200, 200]);
  const last = await admin("POST", "/api/teams/acme-corp/rotate-key");
  t.same([await verify(as), await verify(bearer(next)), await verify(bearer(last.json.virtual_key))], [401, 401, 200]);
});

t.test("testing authentication: health without a key, the key verified, team info", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { as } = await acme(rig);
  for (const ask of [admin, data])
    t.strictSame((await ask("GET", "/health", undefined, {})).json, { status: "healthy" });
  const verified = await data("GET", "/api/teams/verify", undefined, as);
  t.strictSame(verified.json, { team_id: "acme-corp", status: "active" });
  t.match((await data("GET", "/api/teams/acme-corp", undefined, as)).json, {
    ...{ team_id: "acme-corp", organization_id: "org_acme", status: "active" },
    ...{ credits_remaining: 1000, credits_allocated: 1000 },
  });
});

/** The guide's snippets, with the address and the key put in; each prints the answer's JSON. */
const PYTHON = `
import sys, requests
API_URL, VIRTUAL_KEY = sys.argv[1] + "/api", sys.argv[2]
headers = {
    "Authorization": f"Bearer {VIRTUAL_KEY}",
    "Content-Type": "application/json"
}
response = requests.post(
    f"{API_URL}/jobs/create",
    headers=headers,
    json={
        "team_id": "acme-corp",
        "job_type": "document_analysis"
    }
)
import json
print(json.dumps(response.json()))

def make_authenticated_request(endpoint, data):
    headers = {"Authorization": f"Bearer sk-unknown"}
    try:
        response = requests.post(f"{API_URL}/{endpoint}", headers=headers, json=data)
        response.raise_for_status()
        return response.json()
    except requests.exceptions.HTTPError as e:
        if e.response.status_code == 401:
            print("Authentication failed. Check your virtual key.")

make_authenticated_request("jobs/create", {"team_id": "acme-corp", "job_type": "test"})
`;

const JAVASCRIPT = `
const [, , url, VIRTUAL_KEY] = process.argv;
const API_URL = url + "/api";
const headers = {
  "Authorization": \`Bearer \${VIRTUAL_KEY}\`,
  "Content-Type": "application/json"
};
const response = await fetch(\`\${API_URL}/jobs/create\`, {
  method: "POST",
  headers: headers,
  body: JSON.stringify({
    team_id: "acme-corp",
    job_type: "document_analysis"
  })
});
const data = await response.json();
console.log(JSON.stringify(data));
`;

const GO = `package main

import (
    "bytes"
    "encoding/json"
    "fmt"
    "io"
    "net/http"
    "os"
)

func main() {
    apiURL := os.Args[1] + "/api"
    virtualKey := os.Args[2]

    data := map[string]string{
        "team_id":  "acme-corp",
        "job_type": "document_analysis",
    }

    jsonData, _ := json.Marshal(data)
    req, _ := http.NewRequest("POST", apiURL+"/jobs/create", bytes.NewBuffer(jsonData))
    req.Header.Set("Authorization", "Bearer "+virtualKey)
    req.Header.Set("Content-Type", "application/json")

    client := &http.Client{}
    resp, _ := client.Do(req)
    defer resp.Body.Close()
    body, _ := io.ReadAll(resp.Body)
    fmt.Println(string(body))
}
`;

/** Language → how to tell that the tool is here, the file to write, and the command line before address and key. */
const CLIENTS: Readonly<Record<string, { probe: string[]; file: string; text: string; run: string[] }>> = {
  Python: { probe: ["python3", "-c", "import requests"], file: "guide.py", text: PYTHON, run: ["python3"] },
  JavaScript: { probe: [process.execPath, "--version"], file: "guide.mjs", text: JAVASCRIPT, run: [process.execPath] },
  Go: { probe: ["go", "version"], file: "guide.go", text: GO, run: ["go", "run"] },
};

for (const [language, { probe, file, text, run }] of Object.entries(CLIENTS)) {
  t.test(`using virtual keys: the guide's ${language} client creates a job`, async (t) => {
    const [tool = "", ...args] = probe;
    const env = { ...process.env, NODE_OPTIONS: "" };
    const isHere = await exec(tool, args, { env }).then(
      () => true,
      () => false,
    );
    if (!isHere) return t.plan(0, `${probe.join(" ")} does not work on this machine`);
    const rig = await setUp(t);
    const { key } = await acme(rig);
    const program = join(rig.gateway.directory, file);
    writeFileSync(program, text);
    const [command = "", ...before] = run;
    const options = { env, cwd: rig.gateway.directory };
    const { stdout } = await exec(command, [...before, program, rig.gateway.url, key], options);
    const [first = "", second] = stdout.trim().split("\n");
    t.match(JSON.parse(first) as Json, { job_id: UUID, status: "pending" });
    if (language === "Python") t.equal(second, "Authentication failed. Check your virtual key.");
  });
}

t.test("using virtual keys: the guide's curl command creates a job; the admin's needs the admin key", async (t) => {
  const isHere = await exec("curl", ["--version"]).then(
    () => true,
    () => false,
  );
  if (!isHere) return t.plan(0, "there is no curl on this machine");
  const rig = await setUp(t);
  const { key } = await acme(rig);
  const json = ["-H", "Content-Type: application/json"];
  const curl = async (...args: string[]): Promise<Json> =>
    JSON.parse((await exec("curl", ["-s", ...args])).stdout) as Json;
  const job = '{"team_id": "acme-corp", "job_type": "document_analysis"}';
  const url = `${rig.gateway.url}/api/jobs/create`;
  t.match(await curl("-X", "POST", url, "-H", `Authorization: Bearer ${key}`, ...json, "-d", job), {
    status: "pending",
  });
  const team = [
    "-X",
    "POST",
    `${rig.gateway.adminUrl}/api/teams/create`,
    ...json,
    "-d",
    JSON.stringify({ ...ACME, team_id: "b", team_alias: "B" }),
  ];
  t.strictSame(await curl(...team), { detail: "Invalid or missing API key" }, "the guide shows it without a key");
  t.match(await curl(...team, "-H", `X-Admin-Key: ${ADMIN_KEY}`), { team_id: "b", virtual_key: /^sk-/ });
});
