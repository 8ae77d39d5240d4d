import { scenarios } from './scenarios/states.js';
import { recovers } from './ways.js';

describe('states come back', () => recovers('states', scenarios));
