/** Files and folders given on the command line → their texts. `-` is standard input. */
import { readFileSync, statSync } from 'node:fs';
import type { SourceFile } from '../documents/document.js';
import { messageOf, VpcgwError } from '../errors.js';
import { readFiles, readFolder } from '../system/folder-source.js';

export function readPaths(paths: readonly string[]): SourceFile[] {
  return paths.flatMap((path) => {
    if (path === '-') return [{ file: '<stdin>', text: readFileSync(0, 'utf8') }];
    let isFolder: boolean;
    try {
      isFolder = statSync(path).isDirectory();
    } catch (error) {
      throw new VpcgwError('ConfigInvalid', messageOf(error));
    }
    return isFolder ? readFolder(path) : readFiles([path]);
  });
}
