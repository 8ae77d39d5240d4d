/** Runs jobs in their order, so many at a time. */
export async function abreast(jobs: readonly (() => Promise<unknown>)[], atOnce: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < jobs.length) {
      next += 1;
      await jobs[next - 1]?.();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
