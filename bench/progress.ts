/** Says on standard error what is being measured and for how long: one line that changes on a terminal, a line per stage elsewhere. */

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export class Progress {
  readonly #terminal = process.stderr.isTTY;
  readonly #beginning = performance.now();

  async during<T>(stage: string, run: () => Promise<T>): Promise<T> {
    const started = performance.now();
    let frame = 0;
    const show = (): void => {
      frame += 1;
      process.stderr.write(`\r\x1b[2K${frames[frame % frames.length] ?? ''} ${stage} ${seconds(started)}`);
    };
    const ticking = this.#terminal ? setInterval(show, 120) : undefined;
    try {
      const result = await run();
      this.#say(`✓ ${stage} ${seconds(started)}`);
      return result;
    } catch (error) {
      this.#say(`✗ ${stage} ${seconds(started)}`);
      throw error;
    } finally {
      clearInterval(ticking);
    }
  }

  get elapsed(): string {
    return seconds(this.#beginning);
  }

  #say(line: string): void {
    process.stderr.write(`${this.#terminal ? '\r\x1b[2K' : ''}${line}\n`);
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
