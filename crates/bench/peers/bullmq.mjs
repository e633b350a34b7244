// The delivery of conversions as a team on Node would build it: a queue of BullMQ, and undici for the calls.
//
// usage: bullmq.mjs add REDIS_PORT COUNT | bullmq.mjs work REDIS_PORT NETWORK IN_FLIGHT
import { randomBytes } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { Pool } from "undici";

const [, , part, port, ...rest] = process.argv;
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const QUEUE = "deliveries";
// A day's worth of tries, as the hub has a schedule of its own.
const retries = { attempts: 15, backoff: { type: "exponential", delay: 5000 } };

async function add(count) {
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: retries });
  for (let left = Number(count); left > 0; left -= 1000) {
    const conversions = Array.from({ length: Math.min(left, 1000) }, () => ({
      name: "conversion",
      data: {
        click: randomBytes(20).toString("hex"),
        code: `order-${randomBytes(6).toString("hex")}`,
        value: "49.90",
      },
    }));
    await queue.addBulk(conversions);
  }
  await queue.close();
}

async function work(network, inFlight) {
  const pool = new Pool(network, { connections: Number(inFlight) });
  const headers = { "user-agent": "a shop's worker", "x-forwarded-proto": "https" };
  const deliver = async ({ data: { click, code, value } }) => {
    const query = new URLSearchParams({ value, lead_code: code, key: "123456789012345678901234567890abcdef" });
    const path = `/api/v1/cpa/action/${click}?${query}`;
    const { statusCode, body } = await pool.request({ method: "GET", path, headers });
    const answer = await body.json();
    if (statusCode !== 200 || answer.ok !== true) throw new Error(`the network answers ${statusCode}`);
    return answer;
  };
  const worker = new Worker(QUEUE, deliver, { connection, concurrency: Number(inFlight) });
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  worker.on("error", fail);
  worker.on("failed", (_, error) => fail(error));
  process.once("SIGTERM", async () => {
    await worker.close();
    process.exit(0);
  });
}

await (part === "add" ? add(...rest) : work(...rest));
