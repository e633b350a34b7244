// A person who must sign in: node sign_in.mjs CONSOLE FOLDER READER OPERATOR
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, go, heading, says, walk } from "./browser.mjs";

const [console_, folder, reader, operator] = process.argv.slice(2);
const { open, accessible, shots } = await before(console_, folder);

async function signIn(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// A wrong token, a right one, and on to the page that was asked for; then out again.
async function reads() {
  const page = await open({ refused: true });
  await go(page, "/deliveries?state=dead");
  assert.equal(await heading(page), "Sign in");
  await page.screenshot({ path: join(shots, "sign-in-light.png"), fullPage: true });
  await accessible(page, "sign-in");
  await signIn(page, "pbt_wrong");
  await page.getByRole("alert").filter({ hasText: "This token is not known." }).waitFor();
  await signIn(page, reader);
  assert.equal(new URL(page.url()).pathname, "/deliveries");
  await says(page, "reads only");
  await go(page, "/accounts/powerspace");
  assert.equal(await page.getByRole("link", { name: "Pause" }).count(), 0);
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite], ["postback", true, "Strict"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  assert.equal(await heading(page), "Sign in");
  await go(page, "/");
  assert.equal(await heading(page), "Sign in");
  await page.context().close();
}

async function acts() {
  const page = await open();
  await go(page, "/accounts/powerspace/pause");
  await signIn(page, operator);
  await page.getByLabel("Why").fill("a test");
  await page.getByRole("button", { name: "Pause" }).click();
  await says(page, "The account is paused.");
  await go(page, "/trail");
  assert.equal(await page.locator("tbody th").first().innerText(), "bob");
  await page.context().close();
}

await walk([reads, acts]);
