import { attackWithFuzz } from './fuzz.attack.ts';

attackWithFuzz(600);
