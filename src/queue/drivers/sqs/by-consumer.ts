import type { Consumer } from "./consumer/consumer.ts";

/**
 * Runs `use` once per SQS queue, all at once, with the items that belong to it and their places in the call.
 * Items of a queue that is not open are left out.
 */
export async function byConsumer<T>(
  items: readonly T[],
  consumerOf: (item: T) => Consumer | undefined,
  use: (consumer: Consumer, mine: readonly T[], indexes: readonly number[]) => Promise<void>,
): Promise<void> {
  const groups = new Map<Consumer, number[]>();
  for (const [index, item] of items.entries()) {
    const consumer = consumerOf(item);
    if (consumer === undefined) continue;
    const indexes = groups.get(consumer);
    if (indexes === undefined) groups.set(consumer, [index]);
    else indexes.push(index);
  }
  await Promise.all(
    [...groups].map(([consumer, indexes]) =>
      use(
        consumer,
        indexes.map((index) => items[index] as T),
        indexes,
      ),
    ),
  );
}
