// One call of an official Node SDK, as a program would make it: `sdk.mjs SDK SCENARIO TEXT`.
//
// Prints one line of JSON: what was said, or the SDK's own exception. Only the environment points
// it anywhere.

const [sdk, scenario, text] = process.argv.slice(2);
const limit = 64;
const name = 'look_up';
const description = 'Looks a word up.';
const schema = { type: 'object', properties: { word: { type: 'string' } }, required: ['word'] };
const lookUp = ({ word }) => `${word} means: write to grace@example.org`;

async function withOpenAI() {
  const { default: OpenAI } = await import('openai');
  const client = new OpenAI();
  const asked = { model: 'gpt-4o-mini', max_tokens: limit };
  const messages = [{ role: 'user', content: text }];
  if (scenario === 'stream') {
    let said = '';
    for await (const chunk of await client.chat.completions.create({ ...asked, messages, stream: true })) {
      said += chunk.choices[0]?.delta.content ?? '';
    }
    return said;
  }
  if (scenario === 'tools') {
    asked.tools = [{ type: 'function', function: { name, description, parameters: schema } }];
  }
  let { message } = (await client.chat.completions.create({ ...asked, messages })).choices[0];
  if (scenario === 'tools') {
    const [call] = message.tool_calls;
    const content = lookUp(JSON.parse(call.function.arguments));
    messages.push(message, { role: 'tool', tool_call_id: call.id, content });
    ({ message } = (await client.chat.completions.create({ ...asked, messages })).choices[0]);
  }
  return message.content;
}

async function withAnthropic() {
  const { default: Anthropic } = await import('@anthropic-ai/sdk');
  const client = new Anthropic();
  const asked = { model: 'claude-haiku-4-5', max_tokens: limit };
  const messages = [{ role: 'user', content: text }];
  if (scenario === 'stream') {
    return await client.messages.stream({ ...asked, messages }).finalText();
  }
  if (scenario === 'tools') asked.tools = [{ name, description, input_schema: schema }];
  let message = await client.messages.create({ ...asked, messages });
  if (scenario === 'tools') {
    const use = message.content.at(-1);
    const content = [{ type: 'tool_result', tool_use_id: use.id, content: lookUp(use.input) }];
    messages.push({ role: 'assistant', content: message.content }, { role: 'user', content });
    message = await client.messages.create({ ...asked, messages });
  }
  return message.content[0].text;
}

async function withGoogle() {
  const { GoogleGenAI } = await import('@google/genai');
  const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
  const asked = { model: 'gemini-2.5-flash', config: { maxOutputTokens: limit } };
  const contents = [{ role: 'user', parts: [{ text }] }];
  if (scenario === 'stream') {
    let said = '';
    for await (const chunk of await client.models.generateContentStream({ ...asked, contents })) {
      said += chunk.text ?? '';
    }
    return said;
  }
  if (scenario === 'tools') {
    asked.config.tools = [{ functionDeclarations: [{ name, description, parametersJsonSchema: schema }] }];
  }
  let answer = await client.models.generateContent({ ...asked, contents });
  if (scenario === 'tools') {
    const response = { result: lookUp(answer.functionCalls[0].args) };
    const part = { functionResponse: { name, response } };
    contents.push(answer.candidates[0].content, { role: 'user', parts: [part] });
    answer = await client.models.generateContent({ ...asked, contents });
  }
  return answer.text;
}

try {
  const call = { openai: withOpenAI, anthropic: withAnthropic, 'google-genai': withGoogle }[sdk];
  console.log(JSON.stringify({ said: await call() }));
} catch (error) {
  const { status, message } = error;
  console.log(JSON.stringify({ exception: error.constructor.name, status, message: String(message) }));
  process.exitCode = 1;
}
