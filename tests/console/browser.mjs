// A real browser before the console, and what is expected of every page.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

let base;
let browser;

// Starts the browser. `folder` holds the node_modules and gets the screenshots.
export async function before(console, folder) {
  base = console;
  const require = createRequire(join(folder, "package.json"));
  const { chromium } = require("playwright-core");
  const checker = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  const shots = join(folder, "shots");
  mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
  return { open, shots, accessible: (page, name) => accessible(page, name, checker) };
}

// A page that fails the walk where a script on it fails, or where it loads anything from elsewhere. A page that is
// refused says so on the browser's console: `refused` lets it.
async function open({ refused = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (said) => assert.ok(said.type() !== "error" || (refused && said.text().startsWith("Failed to load resource")), said.text()));
  page.on("request", (request) => assert.ok(request.url().startsWith(base), `loaded from elsewhere: ${request.url()}`));
  return page;
}

export const go = (page, path) => page.goto(base + path);
export const heading = (page) => page.locator("h1").innerText();
export const says = (page, text) => page.getByText(text, { exact: false }).first().waitFor();

async function accessible(page, name, checker) {
  // The pages' policy lets no script of elsewhere in, so the checker is put in by the debugger.
  await page.evaluate(checker);
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), rules);
  const serious = violations.filter((it) => ["serious", "critical"].includes(it.impact));
  const told = serious.map((it) => `${it.id}: ${it.help}\n  ${it.nodes.map((node) => node.html).slice(0, 3).join("\n  ")}`);
  assert.deepEqual(told, [], `${name} is hard to use for some`);
}

// Walks the parts one after the other; an error says in which it happened.
export async function walk(parts) {
  try {
    for (const part of parts) {
      try {
        await part();
      } catch (error) {
        error.message = `${part.name}: ${error.message}`;
        throw error;
      }
    }
  } finally {
    await browser.close();
  }
}
