import { memory } from 'statewarden';
import { describeStore } from 'statewarden/testing';

describeStore('memory()', () => ({ store: memory() }));
