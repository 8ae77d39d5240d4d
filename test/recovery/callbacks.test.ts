import { scenarios } from './scenarios/callbacks.js';
import { recovers } from './ways.js';

describe('callbacks and observables come back', () => recovers('callbacks', scenarios));
