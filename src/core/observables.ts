/**
 * What the runtime needs of RxJS, from the files it stands in: the package's own entry loads two hundred more, a third of the time a
 * process took to start. They are the same classes, so that `instanceof Observable` and every operator hold.
 */

export { Observable } from 'rxjs/internal/Observable';
export { Subject } from 'rxjs/internal/Subject';
export type { Subscription } from 'rxjs/internal/Subscription';
