/** The licences of what is inside of the executable; null in the source: scripts/packaging/compile.ts puts them in. */
export const bundledLicenses: string | null = null;
