import { createHmac } from "node:crypto";
import { app } from "../app.ts";

const events =
  '[{"name":"to_1","channel":"n-1","data":"{\\"x\\":1}"},{"name":"to_2","channel":"presence-é"}]';
const payload = `{"time_ms":1700000000000,"events":${events}}`;
const signature = createHmac("sha256", app.secret).update(payload).digest("hex");
const { id, key, secret } = app;

/** Jobs as producers write them: Sockudo's two forms, Soketi's, hookline's own API, generic ones, wrapped ones. */
export const jobs: readonly string[] = [
  `{"app_key":"${key}","app_id":"${id}","app_secret":"${secret}","payload":${payload},"original_signature":"l"}`,
  `{"version":2,"id":"j-1","data":{"app_key":"${key}","app_id":"${id}","app_secret":"${secret}","payload":${payload},"original_signature":"l"}}`,
  `{"appKey":"${key}","appId":"${id}","payload":${payload},"originalPusherSignature":"${signature}"}`,
  `{"id":"p-1","app_id":"${id}","payload":${payload},"delay_ms":100}`,
  `{"id":"g-1","endpoint":"named","type":"order.paid","data":{"big":12345678901234567890,"small":1.50}}`,
  `[{"id":"p-2","app_id":"${id}","payload":${payload}},{"id":"p-3","app_id":"${id}","payload":${payload}}]`,
];

export const eventRequests: readonly string[] = [`{"events":${events}}`, '{"events":[{"name":"to_1"}]}'];

/** Whole answers of receivers, as latin1. */
export const answers: readonly string[] = [
  "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
  "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n3;a=b\r\nyes\r\n0\r\nx: y\r\n\r\n",
  "HTTP/1.0 200 OK\r\nkeep-alive: timeout=5\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 503 Busy\r\nretry-after: 3\r\ncontent-length: 4\r\n\r\nbusy",
];

export const configurations: readonly string[] = [
  `{"queue":{"driver":"redis","queues":["a",{"name":"b","format":"raw","endpoint":"named"}],"redis":{"concurrency":5,"url_override":"redis://u:p@h:1/2"}},"endpoints":{"named":{"url":"https://example.test/x","retry":{"schedule_ms":[1,2]}}}}`,
  `{"server":{"port":9640,"tokens":[{"name":"a","token":"0123456789abcdef","scope":"read"}]},"apps":[{"id":"${id}","key":"${key}","secret":"${secret}","webhooks":[{"url":"http://h/","event_types":["a.*"],"filter":{"channel_prefix":"p"},"headers":{"x-a":"b"}}]}]}`,
  `{"queue":{"driver":"sqs","sqs":{"fifo":true,"message_group_id":"{app_id}_{channel}"}},"webhooks":{"retry":{"max_attempts":3},"batching":{"enabled":true}}}`,
];

/** Paths of the API. */
export const paths: readonly string[] = [
  "/health",
  "/metrics",
  "/v1/queues",
  "/v1/queues/webhooks",
  "/v1/queues/webhooks/jobs",
  "/v1/queues/webhooks/jobs?state=ready&limit=10",
  "/v1/queues/webhooks/dead?limit=10&cursor=abc&reason=x",
  "/v1/queues/webhooks/dead/redrive",
  "/v1/apps/shop/events",
  "/v1/deliveries?since=-15m&status=503",
  "/v1/endpoints/shop/receiver-1/pause",
  "/v1/jobs/p-1?queue=webhooks",
  "/openapi.json",
];
