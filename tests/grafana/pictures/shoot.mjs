// node shoot.mjs BOARD.json OUT.png PROMETHEUS_URL [range=300] [rate=20s] [theme=light] [var-NAME=VALUE ...]
// Serves the page and the board on loopback, opens them in Chromium, takes a picture, and prints as
// JSON what went wrong: errors of queries and of the page, panels with nothing to show.
import fs from 'fs';
import http from 'http';
import { chromium } from 'playwright-core';

const [board, out, prometheus, ...rest] = process.argv.slice(2);
const html = `<!doctype html><body style="margin:0"><div id=root></div><script>
window.process={env:{}};window.global=window;
window.grafanaBootData={settings:{featureToggles:{},bootData:{}},user:{},navTree:[],assets:{}};
</script><script src=/page.js></script>`;
const server = http.createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/') response.setHeader('content-type', 'text/html').end(html);
  else if (path === '/page.js') response.end(fs.readFileSync('page.js'));
  else if (path === '/board.json') response.end(fs.readFileSync(board));
  else if (path.startsWith('/api/')) { // same origin: no CORS
    const answer = await fetch(prometheus + request.url);
    response.writeHead(answer.status).end(await answer.text());
  } else response.writeHead(404).end();
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const query = new URLSearchParams(rest.map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]));
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
const errors = [];
page.on('pageerror', (error) => errors.push(error.message.slice(0, 300)));
await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);
const drawn = await page.waitForFunction('window.__drawn', null, { timeout: 60000 }).then((handle) => handle.jsonValue(), (error) => ({ errors: [String(error).slice(0, 300)], rows: 900 }));
await page.setViewportSize({ width: 1440, height: drawn.rows });
await page.waitForTimeout(500);
await page.screenshot({ path: out });
const nothing = await page.evaluate('[...document.querySelectorAll("[data-nothing]")].map((e) => e.dataset.nothing)');
const unknown = await page.evaluate('[...document.querySelectorAll("[data-unknown]")].map((e) => e.dataset.unknown)');
console.log(JSON.stringify({ errors: [...errors, ...drawn.errors], nothing, unknown }));
await browser.close();
server.close();
