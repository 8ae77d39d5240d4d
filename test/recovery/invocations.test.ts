import { scenarios } from './scenarios/invocations.js';
import { recovers } from './ways.js';

describe('invoked promises come back', () => recovers('invocations', scenarios));
