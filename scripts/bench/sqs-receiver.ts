/** A receiver that reads and answers 200, a process of its own. Prints its URL as JSON. */
const receiver = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    await request.arrayBuffer();
    return new Response("ok");
  },
});
/** Where it listens. */
export const endpoint = `http://127.0.0.1:${receiver.port}/`;
console.log(JSON.stringify({ endpoint }));
