/** What is expected of a Redis URL, or null: redis:// or rediss:// with user, password and database number. It is not quoted. */
export function redisUrlProblem(url: string): string | null {
  if (/[\s\p{Cc}]/u.test(url)) return "a URL without spaces or line breaks";
  const parsed = URL.parse(url);
  if (parsed === null || !/^rediss?:\/\//i.test(url)) return "a redis:// or rediss:// URL";
  if (parsed.hostname === "") return "a redis:// or rediss:// URL with a host";
  if (parsed.search !== "" || parsed.hash !== "") return "a redis URL without a query or fragment";
  if (!/^(?:\/\d*)?$/.test(parsed.pathname)) return "a redis URL whose path is a database number, as in /0";
  return null;
}

/** Database number of a Redis URL; 0 where it names none. */
export function redisUrlDb(url: string): number {
  return Number(URL.parse(url)?.pathname.slice(1) ?? 0);
}
