/** The bare loop that everything is compared with: sign and POST, so many in flight, nothing else. */
import { createHmac } from "node:crypto";

const { TARGET, SECRET, CONCURRENCY, JOBS, PAYLOAD } = process.env as Record<string, string>;
let left = Number(JOBS);

async function loop(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const response = await fetch(TARGET as string, {
      method: "POST",
      body: PAYLOAD as string,
      headers: {
        "content-type": "application/json",
        "x-pusher-key": "app-key",
        "x-pusher-signature": createHmac("sha256", SECRET as string)
          .update(PAYLOAD as string)
          .digest("hex"),
      },
      redirect: "manual",
    });
    await response.arrayBuffer();
  }
}
await Promise.all(Array.from({ length: Number(CONCURRENCY) }, loop));
// Stays, so that its memory and CPU time can be read.
setInterval(() => undefined, 1_000);
