// A person at the console after a bad night: node walk.mjs CONSOLE FOLDER CLICK_ID
// FOLDER holds the node_modules and gets the screenshots.
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, go, heading, says, walk } from "./browser.mjs";

const [console_, folder, clickId] = process.argv.slice(2);
const { open, accessible, shots } = await before(console_, folder);

// From the overview to what is in doubt, to its story, and decided.
async function resolve() {
  const page = await open();
  await go(page, "/");
  await page.getByRole("link", { name: "powerspace: 4 in doubt" }).click();
  assert.equal(await heading(page), "Deliveries");
  await page.locator("tbody th a").first().click();
  await says(page, "What the network was told");
  await says(page, "A person decides.");
  await page.getByRole("link", { name: "Mark delivered" }).click();
  await says(page, "Nothing is sent.");
  await page.getByRole("button", { name: "Mark delivered" }).click();
  await says(page, "One delivery is marked delivered.");
  await says(page, "Nothing more: a person said that the network has it.");
  await page.context().close();
}

// "The network shows 25 and we have more": three clicks to why.
async function why() {
  const page = await open();
  await go(page, "/");
  await page.locator("table").getByRole("link", { name: "powerspace", exact: true }).click();
  const funnel = (await page.locator(".funnel dd").allInnerTexts()).map(Number);
  assert.equal(funnel[0] + funnel[1], funnel.slice(2).reduce((one, other) => one + other), `both sides agree: ${funnel}`);
  await page.getByRole("row", { name: /expired_click/ }).getByRole("link").click();
  assert.match(await page.locator("caption").innerText(), /^7 on this page/);
  await page.context().close();
}

// All dead letters of one reason, counted first.
async function bulk() {
  const page = await open();
  await go(page, "/deliveries?account=powerspace&state=dead&reason=expired_click");
  await page.getByRole("button", { name: "Replay all" }).click();
  await says(page, "This happens to each of them.");
  await page.getByRole("button", { name: "Replay 7" }).click();
  await says(page, "7 deliveries are replayed.");
  await page.context().close();
}

async function pause() {
  const page = await open();
  await go(page, "/accounts/altercpa");
  await page.getByRole("link", { name: "Pause" }).click();
  await page.getByLabel("Why").fill("a new contract");
  await page.getByRole("button", { name: "Pause" }).click();
  await says(page, "The account is paused.");
  await go(page, "/");
  await page.getByRole("link", { name: /altercpa: paused .*a new contract/ }).click();
  await page.getByRole("link", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Resume" }).click();
  await says(page, "The account goes on.");
  await go(page, "/trail");
  const deeds = (await page.locator("tbody tr td:nth-child(3)").allInnerTexts()).slice(0, 2);
  assert.deepEqual(deeds, ["resumed", "paused"]);
  await accessible(page, "trail");
  await page.screenshot({ path: join(shots, "trail-filled-light.png"), fullPage: true });
  await page.context().close();
}

async function search() {
  const page = await open();
  await go(page, "/clicks");
  await page.getByLabel("Search for").fill(clickId);
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: clickId }).click();
  await says(page, "newsletter");
  await says(page, "No conversion yet.");
  await page.context().close();
}

async function link() {
  const page = await open();
  await go(page, "/campaigns");
  await page.getByRole("link", { name: "trafficstars" }).first().click();
  assert.match(await page.getByLabel("Paste it as it stands").inputValue(), /^https:\/\/click\.example\/c\/trafficstars\?.*=\{click_id\}$/);
  await page.getByLabel("A URL by which").fill("https://click.example/c/trafficstars?tracking_param={click_id}");
  await page.getByRole("button", { name: "Try it" }).click();
  await says(page, "is a macro that the network did not replace");
  await page.context().close();
}

// With the keyboard alone: past the navigation, to the first need, and into it.
async function keyboard() {
  const page = await open();
  await go(page, "/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => ({ inside: !!document.activeElement.closest(".needs"), outline: getComputedStyle(document.activeElement).outlineStyle }));
  assert.deepEqual(first, { inside: true, outline: "solid" });
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/deliveries\?/);
  await page.context().close();
}

async function live() {
  const page = await open();
  await go(page, "/live");
  await page.getByRole("button", { name: "Stop updating" }).waitFor();
  const link = page.locator("#deliveries-now tbody th a").first();
  await link.focus();
  const href = await link.getAttribute("href");
  // The page is made anew before the eyes, and the focus stays where it was.
  await page.evaluate(() => { document.querySelector("#deliveries-now tbody").dataset.old = "yes"; });
  await page.waitForFunction(() => !document.querySelector("#deliveries-now tbody").dataset.old);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), href);
  assert.match(await page.locator("time").first().getAttribute("title"), /20\d\d/);
  await page.context().close();
}

async function withoutScript() {
  const page = await open({ javaScriptEnabled: false });
  await go(page, "/live");
  await page.getByRole("link", { name: "Refresh" }).click();
  assert.equal(await heading(page), "Live");
  await go(page, "/deliveries?state=in_doubt");
  await page.locator("tbody th a").first().click();
  await page.getByRole("link", { name: "Send again" }).click();
  await page.getByRole("button", { name: "Send again" }).click();
  await says(page, "One delivery is to be sent again.");
  await page.context().close();
}

const seen = [["overview", "/"], ["account", "/accounts/powerspace"], ["deliveries", "/deliveries"], ["clicks", `/clicks?q=${clickId}`],
  ["conversions", "/conversions"], ["campaign", "/campaigns/powerspace?landing=clickId%3Dabc123xyz789"], ["campaigns", "/campaigns"], ["live", "/live"],
  ["trail", "/trail"], ["render", "/render"], ["confirm", "/replay?account=powerspace"], ["story", null], ["failed", "/nowhere"]];

// Each page in light, dark and on a phone: nothing hard to use, nothing that scrolls sideways.
async function looks() {
  for (const [look, options] of [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }], ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }]]) {
    const page = await open({ ...options, refused: true });
    for (const [name, path] of seen) {
      if (path) {
        await go(page, path);
      } else {
        await go(page, "/deliveries?state=in_doubt");
        await page.locator("tbody th a").first().click();
        await says(page, "What the network was told");
      }
      await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px wider than a ${look} screen`);
      await accessible(page, `${name} (${look})`);
    }
    await page.context().close();
  }
}

await walk([looks, why, resolve, bulk, pause, search, link, keyboard, live, withoutScript]);
