import { scenarios } from './scenarios/timers.js';
import { recovers } from './ways.js';

describe('timers come back', () => recovers('timers', scenarios));
