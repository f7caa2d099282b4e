export { signalChannel, type SignalChannel } from './libsignal/channel.ts';
export type { SignalPeer } from './libsignal/context.ts';
export { forgetSessions, sessionPeers, type SessionKeeping } from './libsignal/forget.ts';
export type { PreKeyOffer } from './libsignal/offer.ts';
export { planPreKeys, type PreKeyPlan, type PreKeyStock, type SignedPreKeyAge } from './libsignal/plan.ts';
export { arePreKeysDue, preparePreKeys, type PublishedPreKeys } from './libsignal/publish.ts';
