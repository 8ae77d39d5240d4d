/** The bank's books: what it has executed, once for each time it was asked to, and what that leaves. Nothing here knows of HTTP. */

export interface Loan {
  readonly id: string;
  readonly customer: string;
  readonly amount: number;
}

/** Something that the bank did. */
export interface Executed {
  readonly what: Deed;
  /** The loan's id. */
  readonly reference: string;
}

export const deeds = ['open', 'withdraw', 'identify', 'forget', 'reserve', 'release', 'disburse', 'recall', 'notify'] as const;
export type Deed = (typeof deeds)[number];

export interface Statement {
  readonly vault: number;
  readonly lent: number;
  readonly reserved: number;
  readonly applications: readonly string[];
  readonly cases: readonly string[];
  readonly letters: readonly string[];
  readonly executed: readonly Executed[];
}

/** Refused for good. */
export class RefusedError extends Error {}

export class Books {
  #vault = 1_000_000;
  readonly #lent = new Map<string, number>();
  readonly #reserved = new Map<string, number>();
  readonly #applications = new Set<string>();
  readonly #cases = new Set<string>();
  readonly #letters: string[] = [];
  readonly #executed: Executed[] = [];
  /** What is refused, and until when: `recall` until the account is thawed. */
  readonly #refused: Set<string>;

  constructor(refused: Iterable<string> = []) {
    this.#refused = new Set(refused);
  }

  /** What it answers is what a repeated request gets again, where it knows keys. @throws RefusedError */
  execute(what: Deed, loan: Loan): object {
    if (this.#refused.has(what)) throw new RefusedError(`the bank refuses to ${what} ${loan.id}`);
    this.#executed.push({ what, reference: loan.id });
    switch (what) {
      case 'open':
        this.#applications.add(loan.id);
        return { application: `A-${loan.id}` };
      case 'withdraw':
        this.#applications.delete(loan.id);
        return {};
      case 'identify':
        this.#cases.add(loan.id);
        return { person: loan.customer };
      case 'forget':
        this.#cases.delete(loan.id);
        return {};
      case 'reserve':
        // Asked twice it reserves twice.
        this.#reserved.set(loan.id, (this.#reserved.get(loan.id) ?? 0) + loan.amount);
        return { score: 700 + loan.id.length };
      case 'release':
        this.#reserved.delete(loan.id);
        return {};
      case 'disburse':
        this.#vault -= loan.amount;
        this.#lent.set(loan.id, (this.#lent.get(loan.id) ?? 0) + loan.amount);
        return { transfer: `T-${loan.id}` };
      case 'recall':
        this.#vault += this.#lent.get(loan.id) ?? 0;
        this.#lent.delete(loan.id);
        return {};
      case 'notify':
        this.#letters.push(loan.id);
        return { letter: this.#letters.length };
    }
  }

  /** What was executed of a loan, as far as the bank tells: the answer, or nothing. */
  find(what: 'reserve' | 'disburse' | 'notify', loan: Loan): object | undefined {
    const was = this.#executed.some((one) => one.what === what && one.reference === loan.id);
    if (!was) return undefined;
    return what === 'reserve' ? { score: 700 + loan.id.length } : what === 'disburse' ? { transfer: `T-${loan.id}` } : { letter: 1 };
  }

  /** Somebody has called the bank. */
  thaw(): void {
    this.#refused.delete('recall');
  }

  statement(): Statement {
    const sum = (amounts: Map<string, number>): number => [...amounts.values()].reduce((total, amount) => total + amount, 0);
    return {
      vault: this.#vault,
      lent: sum(this.#lent),
      reserved: sum(this.#reserved),
      applications: [...this.#applications],
      cases: [...this.#cases],
      letters: [...this.#letters],
      executed: [...this.#executed],
    };
  }
}
