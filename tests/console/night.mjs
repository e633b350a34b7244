// "The network shows 25 conversions and we have 61": node night.mjs CONSOLE FOLDER
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, go, says, walk } from "./browser.mjs";

const [console_, folder] = process.argv.slice(2);
const { open, accessible, shots } = await before(console_, folder);

// Three clicks, each page with its figures, and nothing typed.
async function why() {
  const page = await open();
  await go(page, "/");
  await says(page, "powerspace: 5 in doubt");
  await says(page, "no known account: 8 reports refused since yesterday");
  await page.screenshot({ path: join(shots, "night-overview.png"), fullPage: true });
  await accessible(page, "the overview of that night");

  await page.locator("table").getByRole("link", { name: "powerspace", exact: true }).click();
  await says(page, "61 reported = 49 conversions + 12 refused");
  const funnel = (await page.locator(".funnel dd").allInnerTexts()).map(Number);
  assert.deepEqual(funnel, [49, 0, 25, 10, 0, 5, 9]);
  const numbers = async (section) => (await page.locator(`${section} table`).first().locator("tbody td:first-child").allInnerTexts()).map(Number);
  const lacking = [...(await numbers("#missing-now")), ...(await numbers("#never-now"))];
  assert.equal(lacking.reduce((one, other) => one + other), 61 - 25, `each that the network lacks: ${lacking}`);
  await page.screenshot({ path: join(shots, "night-account.png"), fullPage: true });
  await accessible(page, "the account of that night");

  await page.getByRole("row", { name: /invalid_click/ }).getByRole("link", { name: "3", exact: true }).click();
  assert.match(await page.locator("caption").innerText(), /^3 on this page/);

  await page.locator("tbody th a").first().click();
  await says(page, "What the network was told");
  await says(page, "Answered with HTTP 400");
  await says(page, "A person can replay it until");
  await page.context().close();
}

// The account's page on a phone: nothing scrolls sideways.
async function phone() {
  const page = await open({ viewport: { width: 390, height: 844 } });
  for (const path of ["/", "/accounts/powerspace"]) {
    await go(page, path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${path} is ${wide} px wider than a phone`);
  }
  await page.context().close();
}

await walk([why, phone]);
