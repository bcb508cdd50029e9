// A model server that takes no middleware: `node model_server.mjs PORT`. Its paths say what it does.
import http from "node:http";

const ANSWER = '{"predictions": [0.5]}';
const HEADERS = { "Content-Type": "application/json", "X-Case": "KePt", Date: "today" };

function body(request) {
  return new Promise((resolve) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts)));
  });
}

const CASES = {
  "/predict": async (request, response) => {
    await body(request);
    response.writeHead(200, { ...HEADERS, "Content-Length": ANSWER.length });
    response.end(ANSWER);
  },
  "/invocations": async (request, response) => {
    response.writeHead(200, { ...HEADERS, Trailer: "X-Sum" }); // in chunks
    for (const part of ANSWER.match(/.{1,7}/g)) response.write(part);
    response.addTrailers({ "X-Sum": String((await body(request)).length) });
    response.end();
  },
  "/v1/chat/completions": async (request, response) => {
    await body(request);
    response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream" });
    for (const word of ["one", "two", "three"]) {
      response.write(`data: {"choices": [{"delta": {"content": "${word}"}}]}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    response.end("data: [DONE]\n\n");
  },
  "/echo": async (request, response) => {
    response.writeHead(200, { ...HEADERS, "Content-Length": request.headers["content-length"] });
    request.pipe(response);
  },
  "/early": (request, response) => {
    response.writeHead(413, { ...HEADERS, Connection: "close" });
    response.end("no");
    request.resume();
  },
  "/fails": async (request, response) => {
    await body(request);
    response.writeHead(500, HEADERS);
    response.end("{}");
  },
  "/cut": async (request, response) => {
    await body(request);
    response.writeHead(200, { ...HEADERS, "Content-Length": 1000 });
    response.write("part");
    setTimeout(() => response.destroy(), 20);
  },
  "/old": async (request) => {
    await body(request); // an answer that ends with the connection, as HTTP/1.0 has it
    request.socket.end(`HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n${ANSWER}`);
  },
};

const server = http.createServer((request, response) => {
  const known = CASES[request.url.split("?")[0]];
  if (known) return known(request, response);
  response.writeHead(404, HEADERS);
  response.end();
});
server.on("upgrade", (request, socket, head) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n");
  if (head.length) socket.write(head);
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end());
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1");
