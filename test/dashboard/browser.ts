import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";

/** Where screenshots go, for somebody to look at. */
const shots = join(import.meta.dir, "..", "..", "dist", "screens");

/** Widths of a desk's screen and of a telephone's. */
export const widths = { 1280: { width: 1280, height: 800 }, 375: { width: 375, height: 812 } } as const;
export type Width = keyof typeof widths;
export type Scheme = "light" | "dark";

/** A tab of its own, with what it complained of and whom it asked. */
export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /** Errors in its console and exceptions. */
  readonly complaints: string[];
  /** Origins of all its requests. */
  readonly origins: Set<string>;
  /** Paths of its requests to the API since the last call. */
  asked(): string[];
  /** Goes to a screen and waits until it shows something. */
  show(hash: string): Promise<void>;
  login(token: string): Promise<void>;
  shot(name: string): Promise<void>;
}

export interface TabOptions {
  readonly width?: Width;
  readonly scheme?: Scheme;
}

/** Chromium as Debian has it; one for a whole test file. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    // The tests run as root in containers, where Chromium's own sandbox does not work.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Opens a tab at `base`, which ends in `/`. */
export async function openTab(browser: Browser, base: string, options: TabOptions = {}): Promise<Tab> {
  const { width = 1280, scheme = "light" } = options;
  const context = await browser.newContext({
    viewport: widths[width],
    colorScheme: scheme,
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  const origins = new Set<string>();
  let asked: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => void complaints.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:") origins.add(url.origin);
    if (/\/(?:v1|health)\b/.test(url.pathname)) asked.push(url.pathname);
  });
  await page.goto(base);
  return {
    page,
    complaints,
    origins,
    asked() {
      const some = asked;
      asked = [];
      return some;
    },
    async show(hash) {
      await page.goto(`${base}${hash}`);
      await untilShown(page);
    },
    async login(token) {
      await page.getByLabel("Token", { exact: true }).fill(token);
      await page.keyboard.press("Enter");
      await page.locator(".body > nav").waitFor();
      await untilShown(page);
    },
    async shot(name) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: join(shots, `${name}-${width}-${scheme}.png`), fullPage: width === 375 });
    },
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
}

/** Nothing that is shown waits for its first answer. */
export async function untilShown(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector("main .wait") === null);
}

/** Presses Tab until this has the focus: whoever has no mouse gets there. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor();
  for (let step = 0; step < 300; step += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${target.toString()}`);
}
