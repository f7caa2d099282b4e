export { portablePrimitives } from './portable/primitives.ts';
