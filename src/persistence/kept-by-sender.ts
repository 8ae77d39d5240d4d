/** A rule of every store: a message whose answer goes into its sender's own mailbox is kept by that sender, and is never a dead letter of its receiver. */

/** How such a reply address begins. */
export const mailPrefix = 'mail:';

export function isKeptBySender(replyTo: string | undefined): boolean {
  return replyTo?.startsWith(mailPrefix) === true;
}

/** How the address of code begins that waits for an answer: nobody hears it once that process has ended. */
export const codePrefix = 'code:';
