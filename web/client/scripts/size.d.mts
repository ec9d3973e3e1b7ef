/** The bytes, as gzip sends them, of what a module loads at once. */
export function sizeOf(contents: string): Promise<number>;
