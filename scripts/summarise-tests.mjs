// Prints "N passed, N failed, N skipped" from reports of Vitest's JSON reporter; exits 1 when nothing ran.
// node scripts/summarise-tests.mjs FAILED_STEPS REPORT.json…: steps before the tests that failed count as failures.
import { readFileSync } from 'node:fs';

const [failedSteps, ...paths] = process.argv.slice(2);
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const path of paths) {
  try {
    for (const file of JSON.parse(readFileSync(path, 'utf8')).testResults) {
      for (const { status } of file.assertionResults) {
        if (status === 'passed') counts.passed++;
        else if (status === 'failed') counts.failed++;
        else counts.skipped++;
      }
      // A file that could not even be loaded has no tests.
      if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) counts.failed++;
    }
  } catch (error) {
    console.error(`no test report: ${error.message}`);
  }
}
// "tests" is among the failed steps when a test failed; something else can fail it too (an error between two tests).
counts.failed = Math.max(counts.failed, Number(failedSteps));
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
);
if (counts.passed === 0) process.exitCode = 1;
