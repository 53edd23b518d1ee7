/** The version of this build; also what members of a pair tell one another. */
export const VERSION = '0.1.0';
