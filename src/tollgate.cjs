#!/usr/bin/env node
// The command's entry. Plain old JavaScript, so that a Node that is too old reads it and can be told so.
"use strict";

var fs = require("node:fs");
var path = require("node:path");

/** Major and minor of `engines` in package.json. */
var NEEDED = [22, 18];
/** Exit code for a machine that is not set up. */
var BAD_SETUP = 78;

var found = process.versions.node.split(".").map(Number);
var root = path.join(__dirname, "..");
var source = path.join(__dirname, "main.ts");
var isClone = fs.existsSync(source);

if (found[0] < NEEDED[0] || (found[0] === NEEDED[0] && found[1] < NEEDED[1])) {
  refuse(
    "tollgate needs Node " +
      NEEDED.join(".") +
      " or newer and this is Node " +
      process.versions.node +
      ": " +
      "in a clone run `npm ci` first (it brings its own) and start with `npm start`, elsewhere install a newer Node",
  );
} else if (isClone && !fs.existsSync(path.join(root, "node_modules"))) {
  refuse(`tollgate's dependencies are not installed: run \`npm ci\` in ${root}`);
} else {
  start(isClone ? source : path.join(root, "dist", "src", "main.js"));
}

function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = BAD_SETUP;
}

/** Every Node that is new enough can `require` a module, typed ones too. */
function start(file) {
  var main;
  try {
    main = require(file);
  } catch (error) {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    refuse(`tollgate is not fully installed (${String(error.message).split("\n")[0]}): run \`npm ci\``);
    return;
  }
  main.start();
}
