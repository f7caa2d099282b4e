/** The pages of the management port, and what each tells. */
export const MANAGEMENT_PAGES = {
  '/live': 'Whether the process answers',
  '/startup': 'Whether the relay has started',
  '/ready': 'Whether the relay should be sent clients now',
  '/metrics': 'What the relay counts, in the text format of Prometheus',
} as const;
