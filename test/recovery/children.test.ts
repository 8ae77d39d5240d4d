import { scenarios } from './scenarios/children.js';
import { recovers } from './ways.js';

describe('machines inside machines come back', () => recovers('children', scenarios));
