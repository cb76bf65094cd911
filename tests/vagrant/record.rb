# frozen_string_literal: true

# usage: ruby record.rb VAGRANTFILE: prints what the file sets, every provider's block included, as JSON.
# Vagrant itself looks only at the block of the provider it would use.
require 'json'

# Takes any assignment or call on a configuration object and keeps it.
class Recorder
  def initialize(kept)
    @kept = kept
  end

  def method_missing(name, *arguments, **options)
    if name.end_with?('=')
      @kept[name.to_s.chomp('=')] = arguments.first
    else
      (@kept[name.to_s] ||= []) << [*arguments, options]
    end
  end

  def respond_to_missing?(*)
    true
  end
end

# What `config.vm` is in a Vagrantfile: settings, and for each provider its own and those it overrides.
class Machine < Recorder
  def provider(name)
    own = PROVIDERS[name] ||= { 'override' => {} }
    yield Recorder.new(own), Configuration.new(Machine.new(own['override']))
  end
end

SETTINGS = {}
PROVIDERS = {}
Configuration = Struct.new(:vm) do
  def trigger
    Recorder.new({})  # what is done while Vagrant runs is no setting
  end
end

# The one entry a Vagrantfile uses.
module Vagrant
  def self.configure(_version)
    yield Configuration.new(Machine.new(SETTINGS))
  end
end

load ARGV.fetch(0)
puts JSON.generate('vm' => SETTINGS, 'providers' => PROVIDERS)
