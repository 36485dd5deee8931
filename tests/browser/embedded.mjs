// The portal in a frame of another site, over TLS, in a browser that keeps no cookies of third parties but partitioned ones.
import http from "node:http";
import https from "node:https";
import { readFileSync } from "node:fs";
import { assert, browser, open, picture } from "./lib.mjs";

// What tests/system/portal/browser.rs has made ready.
const { base, links, host, proxy, pem } = JSON.parse(process.env.AUDITFERRY_JOURNEY);
const tls = { key: readFileSync(pem), cert: readFileSync(pem) };
const portal = `https://127.0.0.1:${proxy}`;
const vendor = `https://localhost:${host}`;

// A proxy that makes TLS, as most installations have one.
const ending = https.createServer(tls, (request, response) => {
  const on = http.request(`${base}${request.url}`, { method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  on.on("error", () => response.destroy());
  // A stream that the browser has left ends here too.
  response.on("close", () => on.destroy());
  request.pipe(on);
});
const page = `<!doctype html><html lang="en"><title>The vendor</title><h1>The vendor</h1><div id="audit"></div>
  <script src="${portal}/portal/embed.js"></script><script>
  window.ends = [];
  auditferry.mount({ into: document.getElementById("audit"), minHeight: 100, onEnd: (how) => window.ends.push(String(how)),
    link: async () => (await (await fetch("/link")).json()).url });</script>`;
const serving = https.createServer(tls, (request, response) => {
  response.setHeader("content-type", request.url === "/link" ? "application/json" : "text/html");
  response.end(request.url === "/link" ? JSON.stringify({ url: links.shift() }) : page);
});
await new Promise((ready) => ending.listen(proxy, "127.0.0.1", ready));
await new Promise((ready) => serving.listen(host, "127.0.0.1", ready));

const chromium = await browser(["--test-third-party-cookie-phaseout"]);
const window = await open(chromium);
await window.goto(`${vendor}/`);
const frame = await window.locator("iframe").contentFrame();
// The cookie that the frame's first page sets comes back with its form: the link is taken, and the frame is in.
await frame.locator("footer.foot").first().waitFor();
const go = (path) => frame.locator("html").evaluate((_, place) => window.location.assign(place), `${portal}${path}`).catch(() => {});
await go("/portal/export");
await frame.getByRole("heading", { name: "Export Center" }).waitFor();
const kept = await window.context().cookies(portal);
const session = kept.find((cookie) => cookie.name === "__Host-auditferry-portal");
assert(session, `no session's cookie among ${kept.map((cookie) => cookie.name)}`);
assert(session.sameSite === "None" && session.secure && session.httpOnly, JSON.stringify({ ...session, value: "" }));
assert(session.partitionKey, "the cookie is not partitioned");
await window.waitForFunction(() => parseInt(document.querySelector("iframe").style.height, 10) > 300);
await picture(window, "portal-of-another-site");
// A form of it works too.
await go("/portal/export/setup?cloud=s3&how=key");
await frame.locator("#bucket").fill("Acme_SIEM");
await frame.locator("#region").fill("us-east-1");
await frame.locator("#key_id").fill("AKIA");
await frame.locator("#secret").fill("wrong");
await frame.getByRole("button", { name: "Test the bucket" }).click();
await frame.locator(".summary:focus").waitFor();
// The session is the frame's alone: a window of the portal's own is not in.
const own = await window.context().newPage();
await own.goto(`${portal}/portal/export`);
assert((await own.getByRole("heading", { name: "Export Center" }).count()) === 0, "a window of its own is in");
await own.close();
assert(window.complaints.length === 0, window.complaints.join("; "));
await chromium.close();

// Another site than those that are named gets no frame.
const strict = await browser(["--test-third-party-cookie-phaseout"]);
const stranger = await open(strict);
await stranger.goto(`https://127.0.0.1:${host}/`);
await stranger.waitForTimeout(1500);
const shown = await (await stranger.locator("iframe").contentFrame()).locator("footer.foot").count().catch(() => 0);
assert(shown === 0, "a site that is not named shows the portal");
await strict.close();
ending.close();
serving.close();
ending.closeAllConnections();
serving.closeAllConnections();
console.log("sound");
