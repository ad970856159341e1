#!/usr/bin/env node
// The command's entry: old JavaScript (Node 10 reads it), so that a Node that is too old can be told so.
// biome-ignore-all lint/style/useTemplate: old JavaScript
// biome-ignore-all lint/complexity/useOptionalChain: old JavaScript
// biome-ignore-all lint/complexity/useArrowFunction: old JavaScript
"use strict";

/** Major and minor of `engines` in package.json. */
var NEEDED = [22, 18];
/** Exit code for a machine that is not set up. */
var BAD_SETUP = 78;

var found = process.versions.node.split(".").map(Number);

if (found[0] < NEEDED[0] || (found[0] === NEEDED[0] && found[1] < NEEDED[1])) {
  refuse(
    "tollgate needs Node " +
      NEEDED.join(".") +
      " or newer and this is Node " +
      process.versions.node +
      ": in a clone run `npm ci` first (it brings its own) and start with `npm start`, elsewhere install a newer Node",
  );
} else {
  launch();
}

function refuse(sentence) {
  process.stderr.write(sentence + "\n");
  process.exitCode = BAD_SETUP;
}

function launch() {
  var fs = require("node:fs");
  var path = require("node:path");
  var source = path.join(__dirname, "main.ts");
  var root = path.join(__dirname, "..");
  var isClone = fs.existsSync(source);
  if (isClone && !fs.existsSync(path.join(root, "node_modules"))) {
    refuse("tollgate's dependencies are not installed: run `npm ci` in " + root);
    return;
  }
  start(isClone ? source : path.join(root, "dist", "src", "main.js"));
}

function start(file) {
  import(require("node:url").pathToFileURL(file).href).then(
    function (main) {
      return main.start();
    },
    function (error) {
      if (!error || error.code !== "ERR_MODULE_NOT_FOUND") throw error;
      refuse("tollgate is not fully installed (" + String(error.message).split("\n")[0] + "): run `npm ci`");
    },
  );
}
