/** The files of the page, by path; null in the source: scripts/packaging/compile.ts puts them in. */
export const bundledFiles: readonly (readonly [path: string, text: string])[] | null = null;
