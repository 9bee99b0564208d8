/** The controls of the studio: those of react-aria, dressed. */
import type { ReactNode } from "react"
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Radio,
  RadioGroup,
  SearchField as AriaSearchField,
  Select as AriaSelect,
  SelectValue,
  Text,
  TextArea,
  TextField as AriaTextField,
  Tooltip,
  TooltipTrigger
} from "react-aria-components"
import { Icon, type IconName } from "./Icon.tsx"

interface ButtonProps extends Omit<AriaButtonProps, "className" | "children"> {
  readonly children: ReactNode
  readonly icon?: IconName
  /** `quiet` has no border; `main` is what the page is about; `danger` ends something. */
  readonly kind?: "plain" | "main" | "quiet" | "danger"
}

export const Button = ({ children, icon, kind = "plain", ...rest }: ButtonProps) => (
  <AriaButton {...rest} className={`button button-${kind}`}>
    {icon === undefined ? null : <Icon name={icon} />}
    <span>{children}</span>
  </AriaButton>
)

interface IconButtonProps extends Omit<AriaButtonProps, "className" | "children"> {
  readonly icon: IconName
  readonly label: string
  readonly className?: string
}

/** A button that is an icon; its label is read out and shown when it is pointed at. */
export const IconButton = ({ className = "", icon, label, ...rest }: IconButtonProps) => (
  <TooltipTrigger delay={500}>
    <AriaButton {...rest} aria-label={label} className={`icon-button ${className}`}>
      <Icon name={icon} />
    </AriaButton>
    <Tooltip className="tooltip" offset={6}>
      {label}
    </Tooltip>
  </TooltipTrigger>
)

interface SearchFieldProps {
  readonly label: string
  readonly placeholder?: string
  readonly value: string
  readonly onChange: (value: string) => void
}

export const SearchField = ({ label, onChange, placeholder, value }: SearchFieldProps) => (
  <AriaSearchField aria-label={label} className="search" onChange={onChange} value={value}>
    <Icon name="search" />
    <Input className="input" placeholder={placeholder ?? label} />
    <kbd aria-hidden className="search-key">
      /
    </kbd>
  </AriaSearchField>
)

export interface Choice {
  readonly id: string
  readonly name: string
}

interface SelectProps {
  readonly label: string
  /** Whether the label is shown, or read out only. */
  readonly shown?: boolean
  readonly choices: ReadonlyArray<Choice>
  readonly value: string | null
  readonly onChange: (value: string) => void
  readonly hint?: string | undefined
}

export const Select = ({ choices, hint, label, onChange, shown = false, value }: SelectProps) => (
  <AriaSelect
    {...(shown ? {} : { "aria-label": label })}
    className="field"
    onChange={(key) => (key === null ? undefined : onChange(String(key)))}
    value={value}
  >
    {shown ? <Label className="label">{label}</Label> : null}
    <AriaButton className="button button-plain select">
      <SelectValue />
      <Icon name="down" />
    </AriaButton>
    {hint === undefined ? null : (
      <Text className="hint" slot="description">
        {hint}
      </Text>
    )}
    <Popover className="popover">
      <ListBox className="options" items={choices}>
        {(item) => (
          <ListBoxItem className="option" id={item.id} textValue={item.name}>
            {item.name}
          </ListBoxItem>
        )}
      </ListBox>
    </Popover>
  </AriaSelect>
)

interface ChoicesProps {
  readonly label: string
  readonly choices: ReadonlyArray<Choice>
  /** `null`: nothing is chosen. */
  readonly value: string | null
  readonly onChange: (value: string) => void
  readonly isRequired?: boolean
  readonly hint?: string | undefined
  readonly error?: string | undefined
}

/** A few choices, all in sight. */
export const Choices = ({ choices, error, hint, isRequired = false, label, onChange, value }: ChoicesProps) => (
  <RadioGroup
    className="field"
    isInvalid={error !== undefined}
    isRequired={isRequired}
    onChange={onChange}
    orientation="horizontal"
    validationBehavior="aria"
    value={value}
  >
    <Label className="label">{label}</Label>
    <div className="radios">
      {choices.map(({ id, name }) => (
        <Radio className="radio" key={id} value={id}>
          <span aria-hidden className="radio-mark" />
          <span>{name}</span>
        </Radio>
      ))}
    </div>
    {hint === undefined ? null : (
      <Text className="hint" slot="description">
        {hint}
      </Text>
    )}
    <FieldError className="field-error">{error}</FieldError>
  </RadioGroup>
)

interface TextFieldProps {
  readonly label: string
  readonly shown?: boolean
  readonly value: string
  readonly onChange: (value: string) => void
  readonly hint?: string | undefined
  readonly error?: string | undefined
  readonly rows?: number
  readonly placeholder?: string
  readonly isRequired?: boolean
  readonly isMono?: boolean
  readonly inputMode?: "text" | "decimal" | "numeric"
  readonly onSend?: () => void
  /** Enter alone sends too, and Shift with Enter begins a line. */
  readonly sendsByEnter?: boolean
}

/** One line, or several where `rows` says so. Ctrl or Cmd with Enter sends. */
export const TextField = ({
  error,
  hint,
  isMono = false,
  label,
  onSend,
  rows,
  shown = true,
  ...rest
}: TextFieldProps) => {
  const { inputMode, isRequired, onChange, placeholder, sendsByEnter = false, value } = rest
  const style = `input${isMono ? " mono" : ""}`
  const hinted = placeholder === undefined ? {} : { placeholder }
  return (
    <AriaTextField
      {...(shown ? {} : { "aria-label": label })}
      className="field"
      isInvalid={error !== undefined}
      isRequired={isRequired ?? false}
      onChange={onChange}
      onKeyDown={(event) => {
        const sends = event.ctrlKey || event.metaKey || (sendsByEnter && !event.shiftKey)
        if (event.key !== "Enter" || !sends || onSend === undefined || event.nativeEvent.isComposing) {
          event.continuePropagation()
          return
        }
        event.preventDefault()
        onSend()
      }}
      validationBehavior="aria"
      value={value}
    >
      {shown ? <Label className="label">{label}</Label> : null}
      {rows === undefined ? (
        <Input className={style} inputMode={inputMode} {...hinted} />
      ) : (
        <TextArea className={style} {...hinted} rows={rows} />
      )}
      {hint === undefined ? null : (
        <Text className="hint" slot="description">
          {hint}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </AriaTextField>
  )
}
