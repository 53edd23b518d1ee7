/** How much longer things may take here than on a machine of its own: the lab kernel has one CPU, and 50 ms a process. */
export const pace = process.env['KERNEL_LAB'] === undefined ? 1 : 5;
